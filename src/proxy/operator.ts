import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { isCommit, isRepositoryName, isRevisionName, type Repository, showRepository } from './repository.js'

/** What an operator has said about a revision, over the gate's head. */
export interface OperatorDecision {
  readonly verdict: 'quarantine' | 'release'
  readonly repository: Repository
  /** A commit; or a name, which a release then binds to the commit. */
  readonly revision: string
  readonly commit: string
  /** Of a release of a commit: the content that it is about, and nothing else is. */
  readonly contentDigest: string | null
  readonly reason: string
  /** ISO 8601. */
  readonly time: string
}

const statementType = 'https://in-toto.io/Statement/v1'
const predicateType = 'https://slsa.dev/verification_summary/v1'
const verifier = 'urn:assay:proxy:operator'
const policy = 'urn:assay:proxy:operator-decision'
const reasonField = 'urn:assay:reason'

const schema = z.strictObject({
  _type: z.literal(statementType),
  subject: z.array(z.strictObject({ name: z.string(), digest: z.record(z.string(), z.string()) })).check(z.minLength(1), z.maxLength(2)),
  predicateType: z.literal(predicateType),
  predicate: z.strictObject({
    verifier: z.strictObject({ id: z.literal(verifier) }),
    timeVerified: z.iso.datetime(),
    resourceUri: z.string(),
    policy: z.strictObject({ uri: z.literal(policy) }),
    verificationResult: z.enum(['PASSED', 'FAILED']),
    verifiedLevels: z.array(z.string()),
    [reasonField]: z.string().check(z.minLength(1), z.maxLength(1000)),
  }),
})

/** The statement to be signed: a SLSA verification summary, about the commit, and in a release about its content too. */
export function writeOperatorStatement(upstream: string, decision: OperatorDecision): string {
  const { verdict, repository, revision, commit, contentDigest, reason, time } = decision
  return JSON.stringify({
    _type: statementType,
    subject: [
      { name: `${showRepository(repository)}@${revision}`, digest: { gitCommit: commit } },
      ...(contentDigest === null ? [] : [{ name: 'content', digest: { sha256: contentDigest } }]),
    ],
    predicateType,
    predicate: {
      verifier: { id: verifier },
      timeVerified: time,
      resourceUri: `${upstream}/${showRepository(repository)}`,
      policy: { uri: policy },
      verificationResult: verdict === 'release' ? 'PASSED' : 'FAILED',
      verifiedLevels: [],
      [reasonField]: reason,
    },
  })
}

/** Reads what was signed. Throws `InputError` `bad-operator-decision`. */
export function readOperatorStatement(payload: Uint8Array, upstream: string): OperatorDecision {
  const fail = (problem: string, cause?: unknown) => new InputError('bad-operator-decision', `operator's decision: ${problem}`, {}, cause)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch (cause) {
    throw fail('is not JSON', cause)
  }
  const { success, data, error } = schema.safeParse(json)
  if (!success) throw fail(showText(z.prettifyError(error), 500))
  const [about, content] = data.subject
  const at = about?.name.lastIndexOf('@') ?? -1
  const shown = about?.name.slice(0, at) ?? ''
  const revision = about?.name.slice(at + 1) ?? ''
  const dataset = shown.startsWith('datasets/')
  const repository: Repository = { kind: dataset ? 'dataset' : 'model', name: dataset ? shown.slice('datasets/'.length) : shown }
  const commit = about?.digest.gitCommit ?? ''
  const contentDigest = content?.digest.sha256 ?? null
  if (!isRepositoryName(repository.name) || !isRevisionName(revision) || !isCommit(commit)) throw fail('names no revision of a repository')
  if (isCommit(revision) && revision !== commit) throw fail('names one commit, and is about another')
  if (data.predicate.resourceUri !== `${upstream}/${shown}`)
    throw fail(`is about ${showText(data.predicate.resourceUri, 200)}, expected something of ${upstream}`)
  const verdict = data.predicate.verificationResult === 'PASSED' ? 'release' : 'quarantine'
  if (verdict === 'release' && isCommit(revision) && contentDigest === null) throw fail('releases a commit without saying which content')
  return { verdict, repository, revision, commit, contentDigest, reason: data.predicate[reasonField], time: data.predicate.timeVerified }
}

/** The payload of a signed decision, where an operator whom the proxy knows has signed it; throws otherwise. */
export type OpenSigned = (bundle: Uint8Array) => Promise<Uint8Array>

/** A file of the store that holds, or does not hold, an operator's decision. */
export type OperatorFile = { readonly name: string } & (
  | { readonly decision: OperatorDecision; readonly statementDigest: string }
  | { readonly problem: string }
)

const maxBundleBytes = 2 ** 20

/** The operators' decisions in a folder of the store, read as they are put there. The latest about a revision counts. */
export class OperatorDecisions {
  readonly #files = new Map<string, OperatorFile>()

  /** `note` gets each file once. */
  readonly #folder: string
  readonly #upstream: string
  readonly #openSigned: OpenSigned
  readonly #note: (file: OperatorFile) => void

  constructor(folder: string, upstream: string, openSigned: OpenSigned, note: (file: OperatorFile) => void) {
    this.#folder = folder
    this.#upstream = upstream
    this.#openSigned = openSigned
    this.#note = note
  }

  /** What counts about a revision: a commit, or a name. `null` where nobody has said anything. */
  async about(repository: Repository, revision: string): Promise<OperatorDecision | null> {
    await this.#read()
    let latest: OperatorDecision | null = null
    for (const file of this.#files.values()) {
      if (!('decision' in file) || file.decision.revision !== revision) continue
      if (showRepository(file.decision.repository) !== showRepository(repository)) continue
      if (!latest || Date.parse(file.decision.time) >= Date.parse(latest.time)) latest = file.decision
    }
    return latest
  }

  async #read(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => name.endsWith('.json'))
    for (const name of names.sort()) {
      if (this.#files.has(name)) continue
      const file = await this.#readFile(name)
      if (this.#files.has(name)) continue
      this.#files.set(name, file)
      this.#note(file)
    }
    if (this.#files.size > names.length) for (const name of this.#files.keys()) if (!names.includes(name)) this.#files.delete(name)
  }

  async #readFile(name: string): Promise<OperatorFile> {
    const path = join(this.#folder, name)
    try {
      if ((await stat(path)).size > maxBundleBytes) throw new InputError('too-large', 'has more than 1 MiB')
      const payload = await this.#openSigned(await readFile(path))
      const statementDigest = createHash('sha256').update(payload).digest('hex')
      return { name, statementDigest, decision: readOperatorStatement(payload, this.#upstream) }
    } catch (error) {
      return { name, problem: showText((error as Error).message, 500) }
    }
  }
}
