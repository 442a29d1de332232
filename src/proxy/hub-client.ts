import { showText } from '../core/untrusted-text.js'
import { Refused } from './refused.js'
import { isCommit, isFilePath, type ListedFile, type Repository, showRepository } from './repository.js'
import type { Upstream, UpstreamAnswer, UpstreamRequest } from './upstream.js'

/** What the hub says about a name of a revision. */
export interface RevisionInfo {
  readonly commit: string
  /** Whether anybody may read it, without credentials. */
  readonly open: boolean
  /** As the hub says it, ISO 8601; `null` where it says nothing of the kind. */
  readonly lastModified: string | null
}

const maxInfoBytes = 64 * 2 ** 20
const maxPageBytes = 64 * 2 ** 20
const maxFiles = 100_000
const maxPages = 1000

/** Asks the hub which commit a name stands for, with the credentials of who asks. Throws `Refused`. */
export async function readRevisionInfo(
  upstream: Upstream,
  repository: Repository,
  revision: string,
  request: UpstreamRequest,
): Promise<RevisionInfo> {
  const target = `${apiPath(repository)}/revision/${encodeURIComponent(revision)}`
  const answer = await upstream.getJson(target, { ...request, maxBytes: maxInfoBytes })
  if (answer.status !== 200) throw unanswered(answer, repository, revision)
  const { sha, private: isPrivate, gated, lastModified } = object(answer.json, target)
  if (typeof sha !== 'string' || !isCommit(sha)) {
    throw new Refused(
      'upstream-failed',
      `upstream: says ${showText(sha)} is the commit of ${showText(revision)}, expected forty hexadecimal digits`,
    )
  }
  if (isCommit(revision) && sha !== revision) {
    throw new Refused('revision-moved', `${showRepository(repository)}@${revision}: the upstream gives the commit ${sha} in its place`)
  }
  const time = typeof lastModified === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]{8,16}Z$/.test(lastModified) ? lastModified : null
  return { commit: sha, open: isPrivate === false && (gated === false || gated === undefined), lastModified: time }
}

/** Lists all files of a commit, page by page. Throws `Refused`: `bad-listing` for what could not be stored or checked as it is listed. */
export async function listRevision(
  upstream: Upstream,
  repository: Repository,
  commit: string,
  request: UpstreamRequest,
): Promise<ListedFile[]> {
  const first = `${apiPath(repository)}/tree/${commit}?recursive=true&expand=false`
  const bad = (problem: string) => new Refused('bad-listing', `${showRepository(repository)}@${commit}: the upstream lists ${problem}`)
  const files = new Map<string, ListedFile>()
  let target: string | null = first
  for (let pages = 0; target !== null; pages++) {
    if (pages >= maxPages) throw bad(`more than ${maxPages} pages`)
    const answer: UpstreamAnswer & { readonly json: unknown } = await upstream.getJson(target, { ...request, maxBytes: maxPageBytes })
    if (answer.status !== 200) throw unanswered(answer, repository, commit)
    if (!Array.isArray(answer.json))
      throw new Refused('upstream-failed', `upstream: answers ${showText(target, 200)} by something else than a list`)
    for (const entry of answer.json) {
      const { type } = object(entry, target)
      if (type === 'directory') continue
      const file = readFile(entry as Record<string, unknown>, bad)
      if (files.has(file.path)) throw bad(`${showText(file.path, 200)} twice`)
      if (files.size >= maxFiles) throw bad(`more than ${maxFiles} files`)
      files.set(file.path, file)
    }
    target = nextPage(answer.header('link'), upstream.base, first)
  }
  if (files.size === 0) throw bad('no file')
  return [...files.values()]
}

/** Opens a file of a commit, from a byte on. The answer has the status 200 or 206. Throws `Refused`. */
export async function openFile(
  upstream: Upstream,
  repository: Repository,
  commit: string,
  path: string,
  start: number,
  request: UpstreamRequest,
): Promise<UpstreamAnswer> {
  const target = `${repository.kind === 'dataset' ? '/datasets' : ''}/${repository.name}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
  const answer = await upstream.get(target, { ...request, range: start > 0 ? `bytes=${start}-` : undefined })
  if (answer.status === 200 || (answer.status === 206 && start > 0)) return answer
  answer.discard()
  // it has just been listed to the same credentials: whatever the status says, it is the upstream's failure
  throw new Refused(
    'upstream-failed',
    `${showRepository(repository)}@${commit}: the upstream lists ${showText(path, 200)}, and answers ${answer.status}`,
  )
}

function apiPath({ kind, name }: Repository): string {
  return `/api/${kind}s/${name}`
}

function readFile(entry: Record<string, unknown>, bad: (problem: string) => Refused): ListedFile {
  const { type, path, size, oid, lfs } = entry
  if (typeof path !== 'string' || !isFilePath(path)) throw bad(`the path ${showText(path, 200)}`)
  const name = showText(path, 200)
  if (type !== 'file') throw bad(`${name} as ${showText(type)}, expected a file`)
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw bad(`${name} with the size ${showText(size)}`)
  if (typeof oid !== 'string' || !/^[0-9a-f]{40}$/.test(oid)) throw bad(`${name} without git's name of it`)
  if (lfs === undefined || lfs === null) return { path, size, oid, sha256: null }
  const { oid: sha256, size: large } = lfs as Record<string, unknown>
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256) || large !== size)
    throw bad(`${name} as a large file without its digest or with two sizes`)
  return { path, size, oid, sha256 }
}

/** The target of `Link: <…>; rel="next"`, which must be another page of the same listing. */
function nextPage(link: string | null, base: string, first: string): string | null {
  const url = /<([^<>]+)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1]
  if (url === undefined) return null
  const path = new URL(base + first).pathname
  const next = URL.canParse(url, base + first) ? new URL(url, base + first) : null
  if (next?.origin !== new URL(base).origin || next.pathname !== path) {
    throw new Refused(
      'bad-listing',
      `upstream: has the next page of a listing at ${showText(url, 200)}, expected it where the first one is`,
    )
  }
  return `${first.split('?', 1)[0]}${next.search}`
}

/** What the hub says of what is not there or not for everybody is passed on by its code; all else is its failure. */
function unanswered(answer: UpstreamAnswer, repository: Repository, revision: string): Refused {
  const where = `${showRepository(repository)}@${showText(revision, 200)}`
  const { status } = answer
  const code = answer.header('x-error-code')
  if (code === 'GatedRepo') return new Refused('GatedRepo', `${where}: is gated by the upstream; accept its terms there, and send a token`)
  if (status === 401 || status === 403) return new Refused('unauthorized', `${where}: the upstream answers ${status} to these credentials`)
  if (status === 404 && code === 'RevisionNotFound') return new Refused('RevisionNotFound', `${where}: the upstream has no such revision`)
  if (status === 404 && code !== 'EntryNotFound') return new Refused('RepoNotFound', `${where}: the upstream has no such repository`)
  return new Refused('upstream-failed', `${where}: the upstream answers ${status}${code === null ? '' : ` (${showText(code)})`}`)
}

function object(value: unknown, target: string): Record<string, unknown> {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Refused('upstream-failed', `upstream: answers ${showText(target, 200)} by something else than was asked for`)
}
