import { createHash } from 'node:crypto'
import { type RevisionInfo, readRevisionInfo } from './hub-client.js'
import type { OperatorDecisions } from './operator.js'
import type { Pin, Pins } from './pins.js'
import { Refused } from './refused.js'
import { isCommit, type Repository, showRepository } from './repository.js'
import type { Upstream } from './upstream.js'

export interface NamesOptions {
  readonly upstream: Upstream
  readonly pins: Pins
  readonly operator: OperatorDecisions | null
  /** Milliseconds for which an answer of the upstream is taken for still true, per name and per who asks. */
  readonly nameTtlMs: number
  readonly signal: AbortSignal
}

interface Known {
  readonly info: Promise<RevisionInfo>
  /** Of the answer; until it is there, infinite. */
  readonly at: number
}

const most = 10_000

/** What names of revisions stand for: the upstream's word, held to what it was when the name was first let through. */
export class Names {
  readonly #known = new Map<string, Known>()

  readonly #options: NamesOptions

  constructor(options: NamesOptions) {
    this.#options = options
  }

  /**
   * The commit that a name stands for, and whether who asks may have it at all. Where the upstream cannot be asked, a pinned name stands
   * for its commit (`open` being false then: the caller must know otherwise that anybody may have it). Throws `Refused`.
   */
  async resolve(
    repository: Repository,
    revision: string,
    authorization: string | undefined,
  ): Promise<RevisionInfo & { readonly asked: boolean }> {
    const { pins } = this.#options
    try {
      const info = await this.#ask(repository, revision, authorization)
      await this.#checkPin(repository, revision, info.commit)
      return { ...info, asked: true }
    } catch (error) {
      const away = error instanceof Refused && /^(?:upstream-|redirect-)/.test(error.code)
      const commit = isCommit(revision) ? revision : pins.get(repository, revision)?.commit
      if (!away || commit === undefined) throw error
      return { commit, open: false, lastModified: null, asked: false }
    }
  }

  /** Binds a name to a commit that was let through, if nobody has before. Throws `Refused` `revision-moved` where it is bound to another. */
  async pin(repository: Repository, revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return
    const pin = this.#options.pins.get(repository, revision)
    if (pin === null) await this.#options.pins.set(repository, revision, { commit, since: new Date().toISOString() })
    else if (pin.commit !== commit) throw moved(repository, revision, pin, commit)
  }

  async #checkPin(repository: Repository, revision: string, commit: string): Promise<void> {
    const { pins, operator } = this.#options
    const pin = pins.get(repository, revision)
    if (pin === null || pin.commit === commit) return
    const said = await operator?.about(repository, revision)
    if (said?.verdict === 'release' && said.commit === commit) {
      return pins.set(repository, revision, { commit, since: new Date().toISOString() })
    }
    if (pin.movedTo !== commit) await pins.set(repository, revision, { ...pin, movedTo: commit })
    throw moved(repository, revision, pin, commit)
  }

  /** One question at a time for each name and each set of credentials, which are kept as a digest only. */
  #ask(repository: Repository, revision: string, authorization: string | undefined): Promise<RevisionInfo> {
    const { upstream, nameTtlMs, signal } = this.#options
    const asker = authorization === undefined ? '' : createHash('sha256').update(authorization).digest('hex')
    const key = `${showRepository(repository)}@${revision}#${asker}`
    const known = this.#known.get(key)
    if (known && Date.now() - known.at < nameTtlMs) return known.info
    const info = readRevisionInfo(upstream, repository, revision, { authorization, signal })
    this.#remember(key, { info, at: Number.POSITIVE_INFINITY })
    info.then(
      () => this.#remember(key, { info, at: Date.now() }),
      () => this.#known.delete(key),
    )
    return info
  }

  #remember(key: string, known: Known): void {
    this.#known.delete(key)
    this.#known.set(key, known)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= most) break
      this.#known.delete(oldest)
    }
  }
}

function moved(repository: Repository, revision: string, pin: Pin, commit: string): Refused {
  const where = showRepository(repository)
  return new Refused(
    'revision-moved',
    `${where}@${revision}: stood for ${pin.commit} since ${pin.since}, and the upstream now gives ${commit}; ask for a commit by its id, or have an operator release ${where}@${revision}`,
  )
}
