import { folderId } from './git-object.js'
import type { CheckedFile, Manifest } from './manifest.js'

// What the hub would say about a revision, made from what was verified and nothing else: no field of the upstream's passes through.

/** The answer to `/api/…/revision/…`. */
export function infoAnswer(
  { repository, commit, open, lastModified, files, decidedAt }: Manifest,
  { blobs }: { readonly blobs: boolean },
): object {
  return {
    _id: commit.slice(0, 24),
    id: repository.name,
    ...(repository.kind === 'model' ? { modelId: repository.name } : {}),
    ...(repository.name.includes('/') ? { author: repository.name.split('/')[0] } : {}),
    sha: commit,
    lastModified: lastModified ?? decidedAt,
    private: !open,
    gated: false,
    disabled: false,
    downloads: 0,
    likes: 0,
    tags: [],
    siblings: files.map(({ path, size, oid, sha256, large }) => ({
      rfilename: path,
      ...(blobs ? { size, blobId: oid, ...(large ? { lfs: { sha256, size, pointerSize: pointerSize(size) } } : {}) } : {}),
    })),
  }
}

/** The answer to `/api/…/tree/…`: what lies in a folder, or all below it. `null` where there is no such folder. */
export function treeAnswer(
  manifest: Manifest,
  { path, recursive, expand }: { readonly path: string; readonly recursive: boolean; readonly expand: boolean },
): object[] | null {
  const start = path === '' ? '' : `${path}/`
  const below = manifest.files.filter((file) => file.path.startsWith(start))
  if (below.length === 0) return null
  const isDirect = (name: string) => !name.slice(start.length).includes('/')
  const folders = [...folderIds(manifest.files)].filter(
    ([name]) => name.startsWith(start) && name !== path && (recursive || isDirect(name)),
  )
  return [
    ...folders.map(([name, oid]) => folderEntry(manifest, name, oid, expand)),
    ...below.filter((file) => recursive || isDirect(file.path)).map((file) => fileEntry(manifest, file, expand)),
  ]
}

/** The answer to `/api/…/paths-info/…`: paths that are not there are left out, as the hub does. */
export function pathsAnswer(manifest: Manifest, paths: readonly string[], { expand }: { readonly expand: boolean }): object[] {
  const wanted = new Set(paths.map((path) => path.replace(/^\/+|\/+$/g, '')))
  const files = manifest.files.filter(({ path }) => wanted.has(path)).map((file) => fileEntry(manifest, file, expand))
  if (files.length === wanted.size) return files
  const folders = [...folderIds(manifest.files)].filter(([name]) => wanted.has(name))
  return [...files, ...folders.map(([name, oid]) => folderEntry(manifest, name, oid, expand))]
}

function fileEntry(manifest: Manifest, { path, size, oid, sha256, large }: CheckedFile, expand: boolean): object {
  const lfs = large ? { lfs: { oid: sha256, size, pointerSize: pointerSize(size) } } : {}
  return { type: 'file', oid, size, ...lfs, path, ...(expand ? lastCommit(manifest) : {}) }
}

function folderEntry(manifest: Manifest, path: string, oid: string, expand: boolean): object {
  return { type: 'directory', oid, size: 0, path, ...(expand ? lastCommit(manifest) : {}) }
}

/** The one commit that is known: clients name the folder of their cache by it. */
function lastCommit({ commit, lastModified, decidedAt }: Manifest): object {
  return { lastCommit: { id: commit, title: '', date: lastModified ?? decidedAt } }
}

/** Bytes of a Git LFS pointer file. */
function pointerSize(size: number): number {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize ${size}\n`.length
}

/** By the files that they are of: they take a hash each, and are asked for again and again. */
const knownIds = new WeakMap<readonly CheckedFile[], ReadonlyMap<string, string>>()

/** Every folder with its id. */
function folderIds(files: readonly CheckedFile[]): ReadonlyMap<string, string> {
  const ids = knownIds.get(files) ?? makeFolderIds(files)
  knownIds.set(files, ids)
  return ids
}

function makeFolderIds(files: readonly CheckedFile[]): ReadonlyMap<string, string> {
  type Folder = { readonly files: { name: string; oid: string }[]; readonly folders: Set<string> }
  const folders = new Map<string, Folder>()
  const at = (path: string): Folder => {
    const found = folders.get(path)
    if (found) return found
    const made: Folder = { files: [], folders: new Set() }
    folders.set(path, made)
    if (path !== '') at(parent(path)).folders.add(path)
    return made
  }
  for (const { path, oid } of files) at(parent(path)).files.push({ name: path.slice(path.lastIndexOf('/') + 1), oid })
  const ids = new Map<string, string>()
  // a folder comes after all that lie in it
  for (const path of [...folders.keys()].sort((a, b) => b.split('/').length - a.split('/').length)) {
    const { files: own, folders: inside } = folders.get(path) as Folder
    const entries = [
      ...own.map(({ name, oid }) => ({ name, oid, folder: false })),
      ...[...inside].map((name) => ({ name: name.slice(name.lastIndexOf('/') + 1), oid: ids.get(name) as string, folder: true })),
    ]
    if (path !== '') ids.set(path, folderId(entries))
  }
  return new Map([...ids].sort(([a], [b]) => (a < b ? -1 : 1)))
}

function parent(path: string): string {
  const at = path.lastIndexOf('/')
  return at < 0 ? '' : path.slice(0, at)
}
