import * as crypto from 'node:crypto'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { pathToFileURL } from 'node:url'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { Progress } from '../core/backend.js'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { fileError } from '../io/node-file-source.js'
import type { HashAlgorithm } from './hash-algorithm.js'
import { type HashJob, type HashMessage, type HashThreadSetup, serveHashes } from './node-hash-thread.js'

export interface HashFilesOptions {
  readonly algorithm: HashAlgorithm
  /** Whether a link that has taken a file's place is followed. */
  readonly followLinks: boolean
  /** Threads at most; default one a core. */
  readonly threads?: number | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** So many bytes are hashed sooner than a thread has begun. */
const withoutThread = 2 ** 20

/** Many small files go to a thread at once, so that none waits for its next. */
const batch = { jobs: 64, bytes: 2 ** 24 }

/**
 * Hashes files, or parts of them, on threads: a mebibyte of each thread's is in memory at a time. The digests (hexadecimal) come in the
 * order of `jobs`. Throws `InputError`: what the file system says, or `changed` where a file is not as it was listed, or was written to
 * while it was read.
 */
export async function hashFiles(jobs: readonly Omit<HashJob, 'index'>[], options: HashFilesOptions): Promise<string[]> {
  const { algorithm, followLinks, signal, onProgress } = options
  signal?.throwIfAborted()
  const queue = jobs.map((job, index) => ({ ...job, index }))
  // the largest last: jobs are taken from the end, and a large one must not be what all wait for
  queue.sort((a, b) => a.end - a.start - (b.end - b.start))
  const total = queue.reduce((sum, { start, end }) => sum + end - start, 0)
  const digests = new Array<string>(jobs.length).fill('')
  const blake3Url = pathToFileURL(createRequire(import.meta.url).resolve('@noble/hashes/blake3.js')).href
  const setup: HashThreadSetup = { algorithm, followLinks, blake3Url }
  const workers: HashWorker[] = []
  let done = 0
  const report = (bytes: number) => {
    done += bytes
    onProgress?.({ stage: 'hash', done, total })
  }
  const runThread = () =>
    new Promise<void>((resolve, reject) => {
      const worker = total <= withoutThread ? workHere(setup) : startThread(setup, reject)
      workers.push(worker)
      const next = () => {
        const taken = takeBatch(queue)
        if (taken.length === 0) resolve()
        else worker.port.postMessage(taken)
      }
      worker.port.on('message', (message: HashMessage) => {
        if ('bytes' in message) return report(message.bytes)
        if ('failed' in message) return reject(failure(message.failed))
        for (const [index, digest] of message.digests) digests[index] = digest
        next()
      })
      next()
    })
  const threads = total <= withoutThread ? 1 : Math.max(1, Math.min(options.threads ?? availableParallelism(), jobs.length))
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal?.reason)
    signal?.addEventListener('abort', stop)
  })
  try {
    if (jobs.length > 0) await Promise.race([Promise.all(Array.from({ length: threads }, runThread)), aborted])
  } finally {
    if (stop) signal?.removeEventListener('abort', stop)
    await Promise.all(workers.map((worker) => worker.stop()))
  }
  return digests
}

const program = `const { parentPort, workerData } = require('node:worker_threads')
const serve = ${serveHashes.toString()}
serve(parentPort, workerData, require('node:fs'), require('node:crypto'), (url) => import(url))`

/** Whoever hashes, by the messages of `serveHashes`. */
interface HashWorker {
  readonly port: { postMessage(jobs: readonly HashJob[]): void; on(event: 'message', listener: (message: HashMessage) => void): unknown }
  stop(): unknown
}

function startThread(setup: HashThreadSetup, reject: (error: Error) => void): HashWorker {
  const worker = new Worker(program, { eval: true, execArgv: [], workerData: setup, name: 'assay-hash' })
  worker.on('error', reject)
  worker.on('exit', (code) => reject(new Error(`a hashing thread ended with code ${code}`)))
  return { port: worker, stop: () => worker.terminate() }
}

function workHere(setup: HashThreadSetup): HashWorker {
  const { port1, port2 } = new MessageChannel()
  serveHashes(port1, setup, fs, crypto, (url) => import(url))
  return { port: port2, stop: () => port2.close() }
}

function takeBatch(queue: HashJob[]): HashJob[] {
  const taken: HashJob[] = []
  for (let bytes = 0; taken.length < batch.jobs && bytes < batch.bytes; ) {
    const job = queue.pop()
    if (!job) break
    taken.push(job)
    bytes += job.end - job.start
  }
  return taken
}

function failure({ path, code, problem }: { path: string; code: string; problem: 'system' | 'changed' }): InputError {
  if (problem === 'system') return fileError(Object.assign(new Error(code), { code }), path)
  return new InputError('changed', `${showText(path, 300)}: was changed while it was read; try again when nothing writes to it`, { path })
}
