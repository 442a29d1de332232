import { availableParallelism } from 'node:os'
import type { HashTools } from '../core/digest.js'
import { BackendError } from '../core/errors.js'
import { type NodeThread, startThread } from '../core/node-thread.js'
import { sharedBytes } from '../core/shared-floats.js'
import { BlockHash, type Blocks } from './node-block-hash.js'
import { hashProgram } from './node-hash-program.gen.js'
import type { HashAnswer, HashQuestion } from './node-hash-program.js'
import { newNodeSha256 } from './node-sha256.js'

/** One SHA-256 over blocks in the order in which it gets them. */
export interface RunningHash {
  /** Whether another thread does it. */
  readonly isBeside: boolean
  /** Hashes blocks and gives their tags, `[blocks · 16]` bytes. They have to stay as they are until it resolves, and lie in memory that threads share. */
  look(blocks: Blocks): Promise<Uint8Array>
  digest(): Promise<Uint8Array>
}

/** Fewer bytes are hashed before a thread has started. */
const worthThread = 2 ** 23
/** Where fewer threads run at a time, those that compute need them all: with two, an audit took a tenth longer beside one that hashes. */
const worthCores = 4
/** What is to be hashed and lies in memory that threads do not share goes through memory that they do, so much at a time. */
const slotBytes = 2 ** 20
/** So many that there is enough for the milliseconds in which the calling thread does other things. */
const slots = 8

/** A hash of about `byteLength` bytes: by a thread of its own, which serves the whole process, where that is worth it on a machine that runs `cores` threads at a time. */
export function runningHash(byteLength: number, cores = availableParallelism()): RunningHash {
  if (byteLength >= worthThread && cores >= worthCores) return new HashBeside()
  const hash = new BlockHash()
  return { isBeside: false, look: async (blocks) => hash.look(blocks), digest: async () => hash.digest() }
}

/** What this machine has of SHA-256. */
export const hashTools = (cores = availableParallelism()): HashTools => ({
  newSha256: newNodeSha256,
  sha256Beside: cores >= worthCores ? sha256Beside : undefined,
})

/** The slots of whoever was ready last, for the next: to find fresh memory takes longer than to fill it. */
let spare: Uint8Array[] | null = null

/** SHA-256 of arrays that stay as they are meanwhile, by the thread. Rejects with the signal's reason when aborted, or with `BackendError` `thread-failed`. */
async function sha256Beside(parts: readonly Uint8Array[], signal: AbortSignal | undefined): Promise<Uint8Array> {
  if (parts.reduce((sum, { byteLength }) => sum + byteLength, 0) < worthThread) {
    const hash = newNodeSha256()
    for (const part of parts) hash.update(part)
    return hash.digest()
  }
  const hash = new HashBeside()
  const room = spare ?? Array.from({ length: slots }, () => sharedBytes(slotBytes))
  spare = null
  const free: Promise<void>[] = room.map(() => Promise.resolve())
  let turn = 0
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += slotBytes) {
      const slot = turn++ % slots
      await free[slot]
      signal?.throwIfAborted()
      const copied = (room[slot] as Uint8Array).subarray(0, Math.min(slotBytes, part.byteLength - at))
      copied.set(part.subarray(at, at + slotBytes))
      free[slot] = hash.update(copied)
      free[slot].catch(() => undefined) // shows when it is waited for
    }
  }
  const digest = await hash.digest() // after all that was sent before
  spare = room
  return digest
}

/** A hash that a thread holds, and that is gone with it. */
class HashBeside implements RunningHash {
  readonly isBeside = true
  readonly #hash = ++lastHash
  readonly #thread: HashThread

  constructor() {
    running ??= new HashThread(() => {
      running = null
    })
    this.#thread = running
    abandoned.register(this, { hash: this.#hash, thread: this.#thread })
  }

  async update(bytes: Uint8Array): Promise<void> {
    await this.#thread.ask({ hash: this.#hash, bytes })
  }

  async look(blocks: Blocks): Promise<Uint8Array> {
    return (await this.#thread.ask({ hash: this.#hash, blocks })) as Uint8Array
  }

  async digest(): Promise<Uint8Array> {
    return (await this.#thread.ask({ hash: this.#hash, end: 'digest' })) as Uint8Array
  }
}

let lastHash = 0
/** The thread holds on to a hash until it hears that nobody else does. */
const abandoned = new FinalizationRegistry<{ readonly hash: number; readonly thread: HashThread }>(({ hash, thread }) => {
  thread.ask({ hash, end: 'forget' }).catch(() => undefined)
})

interface Waiting {
  resolve(found: Uint8Array | null): void
  reject(error: unknown): void
}

/** It keeps the process alive while somebody waits for it, and no longer. */
class HashThread {
  readonly #thread: NodeThread<HashQuestion & { readonly id: number }>
  readonly #waiting = new Map<number, Waiting>()
  #lastQuestion = 0
  #failure: BackendError | null = null

  constructor(onEnd: () => void) {
    const end = (why: string) => {
      if (this.#failure) return
      this.#failure = new BackendError('thread-failed', `the thread that hashes failed: ${why}; run it again`)
      onEnd()
      this.#thread.end()
      for (const id of [...this.#waiting.keys()]) this.#settle(id, ({ reject }) => reject(this.#failure))
    }
    this.#thread = startThread(hashProgram, {
      message: (answer: HashAnswer) =>
        'failure' in answer ? end(answer.failure) : this.#settle(answer.id, ({ resolve }) => resolve(answer.found)),
      failure: (error) => end(error instanceof Error ? error.message : String(error)),
    })
  }

  /** What it answers. Rejects with `BackendError` `thread-failed` where it cannot, or has ended. */
  async ask(question: HashQuestion): Promise<Uint8Array | null> {
    if (this.#failure) throw this.#failure
    const id = ++this.#lastQuestion
    return await new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) this.#thread.ref()
      this.#waiting.set(id, { resolve, reject })
      this.#thread.post({ ...question, id })
    })
  }

  #settle(id: number, then: (waiting: Waiting) => void): void {
    const asked = this.#waiting.get(id)
    if (!asked) return
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#thread.unref()
    then(asked)
  }
}

/** The one that serves the process, from when it is first needed. */
let running: HashThread | null = null
