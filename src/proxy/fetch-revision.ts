import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { showText } from '../core/untrusted-text.js'
import { FileHash } from './git-object.js'
import { openFile } from './hub-client.js'
import type { CheckedFile } from './manifest.js'
import { Refused } from './refused.js'
import { type ListedFile, type Repository, showRepository } from './repository.js'
import type { Upstream } from './upstream.js'

export interface FetchOptions {
  readonly authorization?: string | undefined
  readonly signal: AbortSignal
  /** Bytes as they are written. */
  readonly onBytes?: ((bytes: number) => void) | undefined
  /** Milliseconds before the first new try; each further pause is twice as long. Default 500. */
  readonly retryMs?: number | undefined
  /** How a file is opened for writing; default the system's own. */
  readonly openForWriting?: typeof open | undefined
}

const filesAtOnce = 4
/** Tries in a row that bring no progress, or wrong bytes. */
const maxTries = 4
/** Progress is a hundredth of the file, and not less than this: each new try reads again what there is. */
const leastProgress = 2 ** 16
const chunkBytes = 2 ** 20

/**
 * Fetches all files of a commit into a folder, each to disk as it comes, with its hashes, and goes on where an earlier attempt has left off.
 * When it resolves, every byte is what the listing names, and synced to disk. Throws `Refused` `altered`, `upstream-…`, or what the file system throws.
 */
export async function fetchRevision(
  upstream: Upstream,
  repository: Repository,
  commit: string,
  files: readonly ListedFile[],
  folder: string,
  options: FetchOptions,
): Promise<CheckedFile[]> {
  const checked: CheckedFile[] = []
  const queue = files.map((file, index) => ({ file, index })).reverse()
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const worker = async (): Promise<void> => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      signal.throwIfAborted()
      checked[next.index] = await fetchFile(upstream, repository, commit, next.file, join(folder, next.file.path), { ...options, signal })
    }
  }
  const workers = Array.from({ length: Math.min(filesAtOnce, files.length) }, () =>
    worker().catch((error: unknown) => {
      stop.abort(error)
      throw error
    }),
  )
  await Promise.allSettled(workers) // none may still write when this one returns
  await Promise.all(workers)
  return checked
}

async function fetchFile(
  upstream: Upstream,
  repository: Repository,
  commit: string,
  file: ListedFile,
  path: string,
  options: FetchOptions & { readonly signal: AbortSignal },
): Promise<CheckedFile> {
  await mkdir(dirname(path), { recursive: true })
  let farthest = 0
  let wrong: string | null = null
  for (let tries = 1; ; tries++) {
    const partial = await Partial.open(path, file.size, options.openForWriting ?? open)
    try {
      await partial.fill(upstream, repository, commit, file, options)
      const found = partial.digest()
      if (isListed(file, found) || (file.sha256 === null && found.sha256 === wrong)) {
        await partial.handle.sync()
        const large = file.sha256 !== null
        const { mtimeMs } = await partial.handle.stat()
        return { path: file.path, size: file.size, oid: large ? file.oid : found.blob, sha256: found.sha256, large, mtimeMs }
      }
      wrong = found.sha256
      await partial.restart()
      throw new Refused(
        'altered',
        `${showRepository(repository)}@${commit}: the bytes of ${showText(file.path, 200)} are not what the upstream's own listing names`,
      )
    } catch (error) {
      const mayPass = error instanceof Refused && ['altered', 'upstream-failed', 'upstream-stalled'].includes(error.code)
      if (partial.length >= farthest + Math.max(leastProgress, file.size / 100)) {
        farthest = partial.length
        tries = 1
      }
      if (!mayPass || tries >= maxTries) throw error
    } finally {
      await partial.handle.close()
    }
    await pause((options.retryMs ?? 500) * 2 ** (tries - 1), options.signal)
  }
}

/**
 * Whether the bytes are those that the listing names. What git holds itself it names by SHA-1, which is enough to notice a transfer that
 * went wrong, and no proof: where the same bytes come twice it is for the gate, which knows what was signed, to say what they are.
 */
function isListed({ oid, sha256 }: ListedFile, found: { readonly blob: string; readonly sha256: string }): boolean {
  return sha256 === null ? found.blob === oid : found.sha256 === sha256
}

/** A file on disk with the hash of what it has so far. */
class Partial {
  length = 0
  readonly handle: FileHandle
  readonly size: number
  #hash: FileHash

  private constructor(handle: FileHandle, size: number, hash: FileHash) {
    this.handle = handle
    this.size = size
    this.#hash = hash
  }

  /** Opens what there is, or makes it, and hashes it: bytes from before a restart count for nothing else. */
  static async open(path: string, size: number, openForWriting: typeof open): Promise<Partial> {
    const handle = await openForWriting(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    try {
      const partial = new Partial(handle, size, new FileHash(size))
      if ((await handle.stat()).size > size) await handle.truncate(0)
      const buffer = Buffer.allocUnsafe(chunkBytes)
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, partial.length)
        if (bytesRead === 0) return partial
        partial.#hash.update(buffer.subarray(0, bytesRead))
        partial.length += bytesRead
      }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Fetches what is missing. */
  async fill(
    upstream: Upstream,
    repository: Repository,
    commit: string,
    file: ListedFile,
    { authorization, signal, onBytes }: FetchOptions,
  ): Promise<void> {
    if (this.length === this.size) return
    const answer = await openFile(upstream, repository, commit, file.path, this.length, { authorization, signal })
    if (answer.status === 200 && this.length > 0) await this.restart()
    const start = this.length
    const fail = (problem: string) =>
      new Refused('upstream-failed', `${showRepository(repository)}@${commit}: ${showText(file.path, 200)} ${problem}`)
    const range = answer.header('content-range')
    if (answer.status === 206 && range !== `bytes ${start}-${this.size - 1}/${this.size}`) {
      answer.discard()
      throw fail(`comes with the range ${showText(range ?? 'none')}, expected the bytes from ${start} to ${this.size}`)
    }
    for await (const chunk of answer.body()) {
      if (this.length + chunk.length > this.size) throw fail(`has more than the ${this.size} bytes that are listed`)
      this.#hash.update(chunk)
      await writeAll(this.handle, chunk, this.length)
      this.length += chunk.length
      onBytes?.(chunk.length)
    }
    if (this.length < this.size) throw fail(`ends after ${this.length} of ${this.size} bytes`)
  }

  async restart(): Promise<void> {
    await this.handle.truncate(0)
    this.length = 0
    this.#hash = new FileHash(this.size)
  }

  digest(): { readonly blob: string; readonly sha256: string } {
    return this.#hash.digest()
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await handle.write(bytes, written, bytes.length - written, position + written)).bytesWritten
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal.addEventListener('abort', abort, { once: true })
  })
}
