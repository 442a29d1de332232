import { constants } from 'node:fs'
import { access, type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type CheckedFile, type Manifest, parseManifest } from './manifest.js'
import { Refused } from './refused.js'
import { revisionKey } from './repository.js'
import { lockStore } from './store-lock.js'

/** A revision that may be served: proven as a whole, and whole on disk. */
export interface StoredRevision {
  readonly key: string
  readonly manifest: Manifest
  /** Of its files. */
  readonly folder: string
}

export interface StoreOptions {
  /** The upstream whose revisions it holds: a store is for one. */
  readonly upstream: string
  /** Bytes of all files together, at most; default no limit. */
  readonly limit?: number | undefined
}

interface Entry extends StoredRevision {
  manifest: Manifest
  readonly bytes: number
  /** Milliseconds of the epoch. */
  usedAt: number
  savedAt: number
  readers: number
}

const touchEveryMs = 60_000
const maxManifestBytes = 256 * 2 ** 20

/**
 * The verified store: one folder a revision under `revisions/`, moved there in one step when the gate has allowed it, and moved away in one
 * step when it goes. What is being fetched lies under `incoming/` and has no name that could be served.
 */
export class Store {
  readonly #entries = new Map<string, Entry>()
  /** Bytes that fetches under way will take, by key. */
  readonly #reserved = new Map<string, number>()
  #trashed = 0
  evictions = 0

  readonly path: string
  readonly #limit: number
  readonly #unlock: () => Promise<void>

  private constructor(path: string, limit: number, unlock: () => Promise<void>) {
    this.path = path
    this.#limit = limit
    this.#unlock = unlock
  }

  /**
   * Opens a store, or makes one; what a process that died has left is cleared or kept to go on with. Throws `InputError` `store-in-use`,
   * `other-upstream`, or where it cannot be written.
   */
  static async open(path: string, { upstream, limit = Number.POSITIVE_INFINITY }: StoreOptions): Promise<Store> {
    const root = resolve(path)
    try {
      for (const folder of ['revisions', 'incoming', 'refused', 'pins', 'operator', 'trash']) {
        await mkdir(join(root, folder), { recursive: true, mode: 0o700 })
      }
    } catch (cause) {
      throw new InputError('store-unusable', `store: cannot make ${showText(root, 200)}: ${(cause as Error).message}`, {}, cause)
    }
    const unlock = await lockStore(root)
    try {
      await checkUpstream(root, upstream)
      const store = new Store(root, limit, unlock)
      await store.#recover()
      return store
    } catch (error) {
      await unlock()
      throw error
    }
  }

  async #recover(): Promise<void> {
    await rm(join(this.path, 'trash'), { recursive: true, force: true })
    await mkdir(join(this.path, 'trash'), { mode: 0o700 })
    for (const key of await readdir(join(this.path, 'revisions'))) {
      const folder = join(this.path, 'revisions', key)
      const manifest = await readManifest(folder).catch(() => null)
      if (manifest === null || revisionKey(manifest.repository, manifest.commit) !== key || manifest.decision.decision !== 'allow') {
        await this.#discard(folder)
        continue
      }
      const usedAt = (await stat(join(folder, 'manifest.json'))).mtimeMs
      this.#entries.set(key, newEntry(key, manifest, folder, usedAt))
    }
  }

  /** Where a revision is fetched to; it outlives the process, so that the next one goes on with it. */
  incomingFolder(key: string): string {
    return join(this.path, 'incoming', key)
  }

  get(key: string): StoredRevision | null {
    return this.#entries.get(key) ?? null
  }

  /** Bytes of all verified revisions. */
  get bytes(): number {
    let sum = 0
    for (const { bytes } of this.#entries.values()) sum += bytes
    return sum
  }

  get revisions(): number {
    return this.#entries.size
  }

  /** Makes room for a revision that is to be fetched, by evicting the least used ones that nobody reads. Throws `Refused` `store-full`. */
  async reserve(key: string, bytes: number): Promise<void> {
    if (bytes > this.#limit) throw full(key, `has ${bytes} bytes, and the store may have ${this.#limit}`)
    this.#reserved.set(key, bytes)
    if (this.#limit < Number.POSITIVE_INFINITY) await this.#dropForgotten()
    while (this.bytes + sum(this.#reserved.values()) > this.#limit) {
      if (await this.#evictOne()) continue
      this.#reserved.delete(key)
      throw full(key, `needs ${bytes} bytes, and all else in the store is in use`)
    }
  }

  /** Gives back what `reserve` took. */
  release(key: string): void {
    this.#reserved.delete(key)
  }

  /** Makes some room on a disk that is full. Whether there was anything to be taken away. */
  async makeRoom(): Promise<boolean> {
    return (await this.#dropForgotten()) || this.#evictOne()
  }

  /** Evicts the revision that was used least recently, among those that nobody reads. Whether there was one. */
  async #evictOne(): Promise<boolean> {
    let least: Entry | null = null
    for (const entry of this.#entries.values()) if (entry.readers === 0 && (!least || entry.usedAt < least.usedAt)) least = entry
    if (!least) return false
    this.evictions++
    await this.remove(least.key)
    return true
  }

  /** Takes a fetched and allowed revision among those that are served: the manifest, then one rename. */
  async commit(key: string, manifest: Manifest): Promise<StoredRevision> {
    const from = this.incomingFolder(key)
    await writeManifest(from, manifest)
    const folder = join(this.path, 'revisions', key)
    await rename(from, folder)
    await syncFolder(join(this.path, 'revisions'))
    const entry = newEntry(key, manifest, folder, Date.now())
    this.#entries.set(key, entry)
    this.#reserved.delete(key)
    return entry
  }

  /** Puts a newer decision about a revision in the place of the last one. */
  async renew(key: string, manifest: Manifest): Promise<StoredRevision> {
    const entry = this.#entries.get(key)
    if (!entry) throw new Refused('store-failed', `store: ${key} is gone`)
    await writeManifest(entry.folder, manifest)
    entry.manifest = manifest
    return entry
  }

  /** Takes a revision away: first from those that are served, in one step, then from the disk. */
  async remove(key: string): Promise<void> {
    const entry = this.#entries.get(key)
    if (entry) await this.#drop(entry)
  }

  /** Throws away what was fetched of a revision. */
  async dropIncoming(key: string): Promise<void> {
    this.#reserved.delete(key)
    await this.#discard(this.incomingFolder(key))
  }

  /**
   * Opens a file of a verified revision. It must still be, by length and time of change, the one that was verified; else the revision goes,
   * to be fetched anew, and this throws `Refused` `store-failed`. `close` is to be called.
   */
  async openFile(revision: StoredRevision, file: CheckedFile): Promise<{ readonly handle: FileHandle; close(): Promise<void> }> {
    const entry = this.#entries.get(revision.key)
    if (!entry) throw new Refused('store-failed', `store: ${revision.key} was evicted, try again`)
    entry.readers++
    const fail = (problem: string, cause?: unknown) =>
      new Refused('store-failed', `store: ${showText(file.path, 200)} of ${revision.key} ${problem}`, {}, cause)
    try {
      const handle = await open(join(entry.folder, 'files', file.path), constants.O_RDONLY | constants.O_NOFOLLOW)
      const found = await handle.stat()
      if (!found.isFile() || found.size !== file.size || found.mtimeMs !== file.mtimeMs) {
        await handle.close()
        await this.#drop(entry)
        throw fail('was changed since it was verified')
      }
      this.#touch(entry)
      return {
        handle,
        close: async () => {
          entry.readers--
          await handle.close()
        },
      }
    } catch (error) {
      entry.readers--
      if (error instanceof Refused) throw error
      // gone, or a link in its place; anything else, such as too many open files, says nothing about it
      if (['ENOENT', 'ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) await this.#drop(entry)
      throw fail((error as Error).message, error)
    }
  }

  /** Whether the store can be written. */
  async isWritable(): Promise<boolean> {
    return access(join(this.path, 'incoming'), constants.W_OK).then(
      () => true,
      () => false,
    )
  }

  async close(): Promise<void> {
    await this.#unlock()
  }

  /** The revision may have been taken away, and fetched anew, since somebody got hold of this entry. */
  async #drop(entry: Entry): Promise<void> {
    if (this.#entries.get(entry.key) !== entry) return
    this.#entries.delete(entry.key)
    await this.#discard(entry.folder)
  }

  #touch(entry: Entry): void {
    entry.usedAt = Date.now()
    if (entry.usedAt - entry.savedAt < touchEveryMs) return
    entry.savedAt = entry.usedAt
    const seconds = entry.usedAt / 1000
    utimes(join(entry.folder, 'manifest.json'), seconds, seconds).catch(() => {}) // only the order of eviction hangs on it
  }

  /** What was begun for a revision that nobody fetches now takes room, too: it goes before anything verified does. Whether there was any. */
  async #dropForgotten(): Promise<boolean> {
    const forgotten = (await readdir(join(this.path, 'incoming'))).filter((key) => !this.#reserved.has(key))
    for (const key of forgotten) await this.#discard(this.incomingFolder(key))
    return forgotten.length > 0
  }

  async #discard(folder: string): Promise<void> {
    const trash = join(this.path, 'trash', `${process.pid}-${this.#trashed++}`)
    try {
      await rename(folder, trash)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      throw error
    }
    await rm(trash, { recursive: true, force: true })
  }
}

function newEntry(key: string, manifest: Manifest, folder: string, usedAt: number): Entry {
  const bytes = manifest.files.reduce((total, { size }) => total + size, 0)
  return { key, manifest, folder, bytes, usedAt, savedAt: usedAt, readers: 0 }
}

async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, 'manifest.json')
  if ((await stat(path)).size > maxManifestBytes) throw new InputError('bad-manifest', `${path}: is too large`)
  return parseManifest(await readFile(path, 'utf8'), path)
}

async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  await writeDurably(join(folder, 'manifest.json'), JSON.stringify(manifest))
}

/** Writes a small file so that it is either there as a whole, after a crash of the machine too, or as it was before. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const handle = await open(`${path}.new`, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${path}.new`, path)
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return // cannot be opened there
  const handle = await open(path, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function checkUpstream(root: string, upstream: string): Promise<void> {
  const path = join(root, 'store.json')
  const text = await readFile(path, 'utf8').catch(() => null)
  if (text === null) return writeDurably(path, `${JSON.stringify({ schemaVersion: 1, upstream })}\n`)
  if (text === `${JSON.stringify({ schemaVersion: 1, upstream })}\n`) return
  throw new InputError(
    'other-upstream',
    `store: ${showText(path, 200)} says ${showText(text.trim(), 300)}, expected the upstream ${upstream}; give each upstream a store of its own`,
  )
}

function full(key: string, problem: string): Refused {
  return new Refused('store-full', `store: ${key} ${problem}; raise --store-limit or free the disk`)
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}
