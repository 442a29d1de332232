import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { parseManifest } from './manifest.js'
import { type OperatorDecision, writeOperatorStatement } from './operator.js'
import { readPin } from './pins.js'
import { readRefused } from './refused-revisions.js'
import { isCommit, isRepositoryName, isRevisionName, type Repository, revisionKey } from './repository.js'

/** What an operator wants. */
export interface OperatorRequest {
  readonly verdict: 'quarantine' | 'release'
  /** `org/model@revision`, `datasets/org/data@revision`; a name or a commit. */
  readonly about: string
  /** For people: why. */
  readonly reason: string
  /** Default now. */
  readonly at?: Date | undefined
}

/**
 * Signs an operator's decision and puts it into a proxy's store, where the proxy finds it with the next request. A release of a commit is
 * bound to the content that was refused; a release of a name, to the commit that the upstream gave for it. Throws `OptionError`, `InputError`.
 */
export async function decideAsOperator(
  store: string,
  request: OperatorRequest,
  signPayload: (payload: Uint8Array) => Promise<string>,
): Promise<OperatorDecision & { readonly file: string; readonly statementDigest: string }> {
  const upstream = await readUpstream(store)
  const decision = await describe(store, request)
  const payload = new TextEncoder().encode(writeOperatorStatement(upstream, decision))
  const statementDigest = createHash('sha256').update(payload).digest('hex')
  const bundle = await signPayload(payload)
  const folder = join(store, 'operator')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, `${decision.time.replace(/[^\dTZ]/g, '')}-${statementDigest.slice(0, 16)}.json`)
  // a name that ends otherwise until it is whole: the proxy reads what ends in .json
  await writeFile(`${file}.new`, bundle, { mode: 0o600, flag: 'wx' })
  await rename(`${file}.new`, file)
  return { ...decision, file, statementDigest }
}

async function describe(store: string, { verdict, about, reason, at = new Date() }: OperatorRequest): Promise<OperatorDecision> {
  const { repository, revision } = readAbout(about)
  if (reason === '' || reason.length > 1000) throw new OptionError('bad-option', 'reason: expected from 1 to 1000 characters')
  const time = at.toISOString()
  const pin = isCommit(revision) ? null : await readPin(join(store, 'pins'), repository, revision)
  const where = showText(about, 300)
  if (!isCommit(revision) && pin === null) {
    throw new InputError('unknown-revision', `${where}: is no name that the proxy has let through; give the commit`)
  }
  if (verdict === 'quarantine') {
    const commit = pin?.commit ?? revision
    return { verdict, repository, revision: commit, commit, contentDigest: null, reason, time }
  }
  if (pin) {
    if (pin.movedTo === undefined)
      throw new InputError(
        'not-moved',
        `${where}: stands for ${pin.commit}, and the upstream gave no other commit for it: nothing is to be released; to end a quarantine, give the commit`,
      )
    return { verdict, repository, revision, commit: pin.movedTo, contentDigest: null, reason, time }
  }
  const contentDigest = await readContentDigest(store, repository, revision)
  if (contentDigest === null) {
    throw new InputError(
      'not-refused',
      `${where}: was not decided about in this store; ask for it through the proxy once, then look at why it was refused`,
    )
  }
  return { verdict, repository, revision, commit: revision, contentDigest, reason, time }
}

async function readContentDigest(store: string, repository: Repository, commit: string): Promise<string | null> {
  const refused = await readRefused(join(store, 'refused'), repository, commit)
  if (refused) return refused.contentDigest
  const path = join(store, 'revisions', revisionKey(repository, commit), 'manifest.json')
  const text = await readFile(path, 'utf8').catch(() => null)
  return text === null ? null : parseManifest(text, path).contentDigest
}

function readAbout(about: string): { readonly repository: Repository; readonly revision: string } {
  const at = about.lastIndexOf('@')
  const shown = about.slice(0, Math.max(at, 0))
  const revision = about.slice(at + 1)
  const name = shown.replace(/^(?:datasets|models)\//, '')
  if (at < 0 || !isRepositoryName(name) || !isRevisionName(revision)) {
    throw new OptionError(
      'bad-option',
      `got ${showText(about, 300)}, expected a repository and a revision such as org/model@main or datasets/org/data@COMMIT`,
    )
  }
  return { repository: { kind: shown.startsWith('datasets/') ? 'dataset' : 'model', name }, revision }
}

async function readUpstream(store: string): Promise<string> {
  const path = join(store, 'store.json')
  try {
    const { upstream } = JSON.parse(await readFile(path, 'utf8'))
    if (typeof upstream === 'string') return upstream
  } catch (cause) {
    throw new InputError(
      'no-store',
      `${showText(store, 200)}: is no store of a proxy, expected ${showText(path, 200)}; start assay proxy with it once`,
      {},
      cause,
    )
  }
  throw new InputError('no-store', `${showText(path, 200)}: names no upstream`)
}
