import type { open } from 'node:fs/promises'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AssayError } from '../core/errors.js'
import type { GateDecision } from '../gate/decision.js'
import { fetchRevision } from './fetch-revision.js'
import { listRevision, type RevisionInfo } from './hub-client.js'
import { type CheckedFile, contentDigest, type Manifest } from './manifest.js'
import type { OperatorDecisions } from './operator.js'
import { Refused } from './refused.js'
import { RefusedRevisions } from './refused-revisions.js'
import { type ListedFile, type Repository, revisionKey, showRepository } from './repository.js'
import type { Store, StoredRevision } from './store.js'
import type { Upstream } from './upstream.js'

/** Decides about a folder that holds a whole revision, and nothing else. */
export type Decide = (
  folder: string,
  about: { readonly repo: string; readonly revision: string; readonly files: readonly CheckedFile[]; readonly signal: AbortSignal },
) => Promise<GateDecision>

export interface RevisionsOptions {
  readonly upstream: Upstream
  readonly store: Store
  readonly operator: OperatorDecisions | null
  readonly decide: Decide
  /** Of the policy that `decide` applies: what was decided by another is decided anew. */
  readonly policyDigest: string
  /** Milliseconds after which an allowed revision is decided about anew, from its bytes on disk. */
  readonly recheckMs: number
  readonly signal: AbortSignal
  readonly onDecision: (manifest: Manifest, released: boolean) => void
  readonly onBytes: (bytes: number) => void
  readonly retryMs?: number | undefined
  readonly openForWriting?: typeof open | undefined
}

const fetchesAtOnce = 4

/** Revisions as a whole: each is fetched, decided about and taken into the store once, however many ask for it. */
export class Revisions {
  readonly #running = new Map<string, Promise<StoredRevision>>()
  readonly #waiting: (() => void)[] = []
  #fetching = 0

  readonly #options: RevisionsOptions
  readonly #refused: RefusedRevisions

  private constructor(options: RevisionsOptions, refused: RefusedRevisions) {
    this.#options = options
    this.#refused = refused
  }

  static async open(options: RevisionsOptions): Promise<Revisions> {
    return new Revisions(options, await RefusedRevisions.open(join(options.store.path, 'refused')))
  }

  /** Fetches under way. */
  get fetching(): number {
    return this.#fetching
  }

  /** Resolves when nothing is fetched or decided any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running.values())
  }

  /** What is known about a commit without asking the upstream; whether anybody may know it. */
  known(repository: Repository, commit: string): { readonly open: boolean } | null {
    const key = revisionKey(repository, commit)
    return this.#options.store.get(key)?.manifest ?? this.#refused.get(key)
  }

  /** The verified revision. Throws `Refused`, and for all who ask for it at once the same. */
  get(repository: Repository, info: RevisionInfo, authorization: string | undefined): Promise<StoredRevision> {
    const key = revisionKey(repository, info.commit)
    const running = this.#running.get(key)
    if (running) return running
    const run = this.#get(key, repository, info, authorization).finally(() => this.#running.delete(key))
    this.#running.set(key, run)
    return run
  }

  async #get(key: string, repository: Repository, info: RevisionInfo, authorization: string | undefined): Promise<StoredRevision> {
    const { store } = this.#options
    const stored = store.get(key)
    if (stored && this.#isFresh(stored.manifest) && (await this.#mayStay(stored.manifest))) return stored
    if (stored) {
      const { repository, commit, open, lastModified, files } = stored.manifest
      const manifest = await this.#decide(join(stored.folder, 'files'), { repository, commit, open, lastModified, files })
      if (manifest.decision.decision === 'allow') return store.renew(key, manifest)
      await store.remove(key)
      throw await this.#refuse(key, manifest)
    }
    const refused = this.#refused.get(key)
    if (refused && this.#isFresh(refused) && !(await this.#isReleased(refused))) throw denied(refused)
    await this.#slot()
    try {
      return await this.#fetch(key, repository, info, authorization)
    } finally {
      this.#fetching--
      this.#waiting.shift()?.()
    }
  }

  async #fetch(key: string, repository: Repository, info: RevisionInfo, authorization: string | undefined): Promise<StoredRevision> {
    const { upstream, store, signal } = this.#options
    const folder = store.incomingFolder(key)
    const files = join(folder, 'files')
    for (;;) {
      try {
        const listed = await listRevision(upstream, repository, info.commit, { authorization, signal })
        await store.reserve(
          key,
          listed.reduce((sum, { size }) => sum + size, 0),
        )
        await mkdir(files, { recursive: true, mode: 0o700 })
        await prune(files, listed)
        const { onBytes, retryMs, openForWriting } = this.#options
        const checked = await fetchRevision(upstream, repository, info.commit, listed, files, {
          authorization,
          signal,
          onBytes,
          retryMs,
          openForWriting,
        })
        const manifest = await this.#decide(files, { repository, ...info, files: checked })
        if (manifest.decision.decision === 'allow') return await store.commit(key, manifest)
        await store.dropIncoming(key)
        throw await this.#refuse(key, manifest)
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? ''
        const diskFull = code === 'ENOSPC' || code === 'EDQUOT'
        if (diskFull && (await store.makeRoom())) continue
        store.release(key)
        if (diskFull || code === 'altered' || code === 'bad-listing') await store.dropIncoming(key)
        if (diskFull)
          throw new Refused('store-full', `store: the disk is full, and nothing in the store can be evicted; free it`, {}, error)
        if (error instanceof AssayError || signal.aborted) throw error
        throw new Refused('store-failed', `store: ${(error as Error).message}`, {}, error)
      }
    }
  }

  /** Asks the gate, and then the operators, whose release is bound to what the revision holds. */
  async #decide(folder: string, about: Pick<Manifest, 'repository' | 'commit' | 'open' | 'lastModified' | 'files'>): Promise<Manifest> {
    const { decide, signal, onDecision } = this.#options
    const repo = showRepository(about.repository)
    const decision = await decide(folder, { repo, revision: about.commit, files: about.files, signal })
    const { repository, commit, open, lastModified, files } = about
    const decided = {
      repository,
      commit,
      open,
      lastModified,
      files,
      contentDigest: contentDigest(files),
      decision,
      decidedAt: new Date().toISOString(),
    }
    const manifest: Manifest = { schemaVersion: 1, ...decided }
    const released = decision.decision === 'deny' && (await this.#isReleased(manifest))
    const counted: Manifest = released ? { ...manifest, decision: { ...decision, decision: 'allow' } } : manifest
    onDecision(counted, released)
    return counted
  }

  /** What an operator has released stays for as long as that operator has a say. */
  async #mayStay(manifest: Manifest): Promise<boolean> {
    return manifest.decision.reasons[0]?.code === 'allowed' || (await this.#isReleased(manifest))
  }

  async #isReleased({ repository, commit, contentDigest }: Manifest): Promise<boolean> {
    const said = await this.#options.operator?.about(repository, commit)
    return said?.verdict === 'release' && said.contentDigest === contentDigest
  }

  async #refuse(key: string, manifest: Manifest): Promise<Refused> {
    await this.#refused.set(key, manifest)
    return denied(manifest)
  }

  #isFresh({ decision, decidedAt }: Manifest): boolean {
    return decision.policyDigest === this.#options.policyDigest && Date.now() - Date.parse(decidedAt) < this.#options.recheckMs
  }

  async #slot(): Promise<void> {
    if (this.#fetching >= fetchesAtOnce) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#fetching++
  }
}

function denied({ repository, commit, decision }: Manifest): Refused {
  const says = decision.reasons.map((reason) => `${reason.code}: ${reason.says}`).join('; ')
  return new Refused('denied', `${showRepository(repository)}@${commit} is refused: ${says}`, { reasons: decision.reasons })
}

/** Takes away what an earlier attempt has left and this listing does not name: the gate is to see the revision and nothing else. */
async function prune(root: string, files: readonly ListedFile[]): Promise<void> {
  const listed = new Set(files.map(({ path }) => path))
  const folders = new Set(files.flatMap(({ path }) => foldersOf(path)))
  const walk = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory() && folders.has(path)) await walk(path)
      else if (!(entry.isFile() && listed.has(path))) await rm(join(root, path), { recursive: true, force: true })
    }
  }
  await walk('')
}

/** `a/b/c` → `a`, `a/b`. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'))
}
