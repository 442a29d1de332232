import { showText } from '../core/untrusted-text.js'
import { Refused } from './refused.js'
import { isFilePath, isRepositoryName, isRevisionName, type Repository } from './repository.js'

/** What of the hub's API is asked for. */
export type HubRoute = { readonly repository: Repository; readonly revision: string } & (
  | { readonly what: 'info'; readonly blobs: boolean }
  | { readonly what: 'tree'; readonly path: string; readonly recursive: boolean; readonly expand: boolean }
  | { readonly what: 'paths-info' }
  | { readonly what: 'file'; readonly path: string }
)

const maxTargetLength = 8192
const apiCalls = ['revision', 'tree', 'paths-info']

/**
 * Reads a request's target, segment by segment and before anything is decoded or made shorter, so that nothing can mean one thing here and
 * another elsewhere. Throws `Refused` `bad-request` for what is no such target, `not-offered` for the rest of the hub.
 */
export function readRoute(target: string): HubRoute {
  if (!target.startsWith('/') || target.length > maxTargetLength || !/^[\x21-\x7e]+$/.test(target) || target.includes('#')) {
    throw new Refused(
      'bad-request',
      `request: got the target ${showText(target, 200)}, expected a path such as /org/model/resolve/main/file`,
    )
  }
  const at = target.indexOf('?')
  const query = new URLSearchParams(at < 0 ? '' : target.slice(at + 1))
  const segments = (at < 0 ? target : target.slice(0, at)).slice(1).split('/').map(decode)
  const api = segments[0] === 'api'
  const rest = api ? segments.slice(1) : segments
  const place = api
    ? rest.findIndex((part, i) => i >= 2 && apiCalls.includes(part))
    : rest.findIndex((part, i) => i >= 1 && part === 'resolve')
  if (!api && place < 0) throw notOffered(target)
  const repository = readRepository(place < 0 ? rest : rest.slice(0, place), api, target)
  if (place < 0) return { what: 'info', repository, revision: 'main', blobs: query.get('blobs') === 'true' }
  const [revision, after] = readRevision(rest.slice(place + 1))
  const path = after.join('/')
  if (path !== '' && !isFilePath(path)) {
    throw new Refused('bad-request', `request: got the path ${showText(path, 200)}, expected one below the repository's root`)
  }
  if (!api) {
    if (path === '') throw new Refused('bad-request', 'request: names no file, expected /REPOSITORY/resolve/REVISION/PATH')
    return { what: 'file', repository, revision, path }
  }
  if (rest[place] === 'tree') {
    return { what: 'tree', repository, revision, path, recursive: isTrue(query.get('recursive')), expand: isTrue(query.get('expand')) }
  }
  if (path !== '') throw notOffered(target)
  if (rest[place] === 'paths-info') return { what: 'paths-info', repository, revision }
  return { what: 'info', repository, revision, blobs: isTrue(query.get('blobs')) }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Refused('bad-request', `request: has ${showText(segment, 200)} in its path, expected UTF-8 with percent signs`)
  }
}

function readRepository(segments: readonly string[], api: boolean, target: string): Repository {
  const dataset = segments[0] === 'datasets'
  if (api ? !dataset && segments[0] !== 'models' : segments[0] === 'spaces') throw notOffered(target)
  const name = (dataset || api ? segments.slice(1) : segments).join('/')
  if (!isRepositoryName(name))
    throw new Refused('bad-request', `request: got the repository ${showText(name, 200)}, expected one such as org/model`)
  return { kind: dataset ? 'dataset' : 'model', name }
}

/** A name with slashes is one segment, encoded; but for `refs/pr/1` and `refs/convert/parquet`, which clients leave as they are. */
function readRevision(segments: readonly string[]): [string, readonly string[]] {
  const length = segments[0] === 'refs' && /^(?:pr|convert)$/.test(segments[1] ?? '') ? 3 : 1
  const revision = segments.slice(0, length).join('/')
  if (isRevisionName(revision)) return [revision, segments.slice(length)]
  throw new Refused('bad-request', `request: got the revision ${showText(revision, 200)}, expected a branch, a tag or a commit`)
}

function isTrue(value: string | null): boolean {
  return value === 'true' || value === 'True' || value === '1'
}

function notOffered(target: string): Refused {
  return new Refused(
    'not-offered',
    `${showText(target, 200)}: is not passed on by this proxy, which offers revision, tree, paths-info and resolve of models and datasets`,
  )
}
