import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifest, parseManifest } from './manifest.js'
import { isCommit, isRepositoryName, type Repository, revisionKey } from './repository.js'
import { writeDurably } from './store.js'

const most = 10_000

/** What was refused and why, kept without its bytes: nobody fetches it again to hear the same, and an operator can look at it. */
export class RefusedRevisions {
  readonly #refused = new Map<string, Manifest>()

  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async open(folder: string): Promise<RefusedRevisions> {
    const refused = new RefusedRevisions(folder)
    for (const file of await readdir(folder)) {
      const path = join(folder, file)
      const key = file.replace(/\.json$/, '')
      const manifest = await readFile(path, 'utf8')
        .then((text) => parseManifest(text, path))
        .catch(() => null)
      if (manifest && key !== file && revisionKey(manifest.repository, manifest.commit) === key) refused.#refused.set(key, manifest)
      else await rm(path, { recursive: true, force: true })
    }
    return refused
  }

  get(key: string): Manifest | null {
    return this.#refused.get(key) ?? null
  }

  async set(key: string, manifest: Manifest): Promise<void> {
    this.#refused.delete(key)
    this.#refused.set(key, manifest)
    await writeDurably(join(this.#folder, `${key}.json`), JSON.stringify(manifest))
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= most) break
      this.#refused.delete(oldest)
      await rm(join(this.#folder, `${oldest}.json`), { force: true })
    }
  }
}

/** What a store says of a revision that was refused; `null` where it was not. */
export async function readRefused(folder: string, repository: Repository, commit: string): Promise<Manifest | null> {
  if (!isRepositoryName(repository.name) || !isCommit(commit)) return null
  const path = join(folder, `${revisionKey(repository, commit)}.json`)
  return readFile(path, 'utf8')
    .then((text) => parseManifest(text, path))
    .catch(() => null)
}
