import type { Stats } from 'node:fs'
import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { byCodePoints } from '../core/code-points.js'
import { showText } from '../core/untrusted-text.js'
import { orFileError } from '../io/node-file-source.js'
import type { FileListing, ListedFile } from './compare-files.js'
import { liesUnder } from './file-name.js'
import { isStrayInGit } from './git-folder.js'
import { Refusal } from './refusal.js'

export interface ListOptions {
  /** Paths from the root, with all below them. */
  readonly ignored: readonly string[]
  readonly allowSymlinks: boolean
  /** Whether to look for files in `.git` that are none of git's own. */
  readonly searchGit: boolean
  /** The signature file, which is never a part of what it signs. */
  readonly signaturePath: string | null
  readonly signal?: AbortSignal | undefined
}

/** A listing, and where it is on disk. */
export interface FolderListing extends FileListing {
  /** The name of the signature file, where it is inside. */
  readonly signature: string | null
  /** The path of a listed file. */
  pathOf(name: string): string
}

/**
 * Lists the regular files of a model, by code points, without opening one. `path` may be a file, and may itself be a link: it is the
 * caller's own word. Links below it are followed where that is allowed, but not in circles. Throws `InputError` where something cannot
 * be read, `Refusal` `file-name` where a name is not valid UTF-8.
 */
export async function listFiles(path: string, options: ListOptions): Promise<FolderListing> {
  const root = await orFileError(path, () => realpath(path))
  const found = await orFileError(path, () => stat(root))
  const name = basename(resolve(path))
  if (!found.isDirectory()) {
    return { files: [listed(name, found)], single: name, ignored: [], strayInGit: [], signature: null, pathOf: () => root }
  }
  const signature = options.signaturePath === null ? null : await nameBelow(root, options.signaturePath)
  const files: ListedFile[] = []
  const leftOut: string[] = []
  await walk({ path: root, name: '', parents: [root] }, { ...options, signature, files, leftOut })
  files.sort((a, b) => byCodePoints(a.name, b.name))
  const strayInGit = options.searchGit ? await findStrays(root) : []
  return { files, single: null, ignored: leftOut.sort(byCodePoints), strayInGit, signature, pathOf: (file) => join(root, file) }
}

interface Folder {
  readonly path: string
  /** From the root; '' is the root. */
  readonly name: string
  /** Real paths of the folders around it and of itself. */
  readonly parents: readonly string[]
}

interface Walk extends ListOptions {
  readonly signature: string | null
  readonly files: ListedFile[]
  readonly leftOut: string[]
}

async function walk(folder: Folder, to: Walk): Promise<void> {
  to.signal?.throwIfAborted()
  const entries = await orFileError(folder.path, () => readdir(folder.path, { encoding: 'buffer' }))
  for (const entry of entries) {
    const own = decodeName(entry, folder.path)
    const path = join(folder.path, own)
    const name = folder.name === '' ? own : `${folder.name}/${own}`
    if (name === to.signature) continue
    const itself = await orFileError(path, () => lstat(path))
    if (liesUnder(name, to.ignored)) {
      to.leftOut.push(itself.isDirectory() ? `${name}/` : name)
      continue
    }
    const meant = itself.isSymbolicLink() && to.allowSymlinks ? await stat(path).catch(() => itself) : itself
    if (!meant.isDirectory()) {
      to.files.push(listed(name, meant))
      continue
    }
    const real = await orFileError(path, () => realpath(path))
    if (folder.parents.includes(real)) to.files.push({ name, byteLength: 0, kind: 'symlink' })
    else await walk({ path, name, parents: [...folder.parents, real] }, to)
  }
}

/** Files below `.git` that git would not keep there, whatever is ignored. */
async function findStrays(root: string): Promise<string[]> {
  const path = join(root, '.git')
  const found = await lstat(path).catch(() => null)
  if (!found?.isDirectory()) return []
  const options = { ignored: [], allowSymlinks: false, searchGit: false, signaturePath: null, signature: null }
  const files: ListedFile[] = []
  await walk({ path, name: '.git', parents: [path] }, { ...options, files, leftOut: [] })
  const strays = files.filter(({ name, kind }) => kind !== 'file' || isStrayInGit(name)).map(({ name }) => name)
  return strays.sort(byCodePoints)
}

function listed(name: string, stats: Stats): ListedFile {
  const kind = stats.isFile() ? 'file' : stats.isSymbolicLink() ? 'symlink' : 'special'
  return { name, byteLength: stats.size, kind }
}

function decodeName(bytes: Buffer, folder: string): string {
  const name = bytes.toString('utf8')
  if (Buffer.from(name, 'utf8').equals(bytes)) return name
  throw new Refusal('file-name', `a file in '${showText(folder, 200)}' has a name that is not valid UTF-8: '${showText(name)}'`)
}

/** The name that a path has below a root; `null` where it lies elsewhere. */
async function nameBelow(root: string, path: string): Promise<string | null> {
  const folder = await realpath(dirname(resolve(path))).catch(() => null)
  if (folder === null) return null
  const name = relative(root, join(folder, basename(resolve(path))))
  return name === '' || name === '..' || name.startsWith(`..${sep}`) ? null : name.split(sep).join('/')
}
