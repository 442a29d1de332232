import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { byCodePoints } from '../core/code-points.js'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { readBytes } from '../io/byte-source.js'
import { listNames } from '../io/list-names.js'
import { openFile, orFileError } from '../io/node-file-source.js'
import { rootOf } from '../io/node-root-digest.js'
import { newNodeSha256 } from '../io/node-sha256.js'
import { checkFileSize } from './pictures/pixels.js'

/** Pictures that are files of a folder. */
export interface ImageFolder {
  /** Of the pictures, in the order of the rows, relative to the folder, with `/`. */
  readonly names: readonly string[]
  /** By the folders that the pictures lie in, sorted; null where they all lie in the folder itself. */
  readonly classes: { readonly names: readonly string[]; readonly labels: readonly number[] } | null
  /** The bytes of a picture's file. They are hashed as they are read. */
  read(index: number): Promise<Uint8Array>
  /** The root digest of OpenSSF Model Signing over the pictures and the files in `others`; pictures that nobody has read are read now. */
  digest(others: readonly { readonly name: string; readonly digest: Uint8Array }[]): Promise<string>
}

const isPicture = (name: string) => /\.(?:png|jpe?g|webp|bmp)$/i.test(name)
const maxDepth = 16
const maxPictures = 2 ** 24

/**
 * Lists the pictures (.png, .jpg, .jpeg, .webp, .bmp) of a folder as torchvision's `ImageFolder` does: one folder a class, whose name is its name and whose
 * pictures may lie in folders of their own, all in the order of code points; or pictures that lie in the folder itself, sorted too. Links are followed; names
 * that begin with a dot are left aside. null where there are no pictures.
 *
 * Throws `InputError`: `empty-class` for a folder without pictures beside others with, `bad-folder` for pictures beside folders of classes, or too deep, `too-large`.
 */
export async function openImageFolder(folder: string): Promise<ImageFolder | null> {
  const where = showText(folder, 300)
  const { files, folders } = await list(folder)
  const flat = files.filter(isPicture)
  const classes: { readonly name: string; readonly pictures: readonly string[] }[] = []
  for (const name of folders) classes.push({ name, pictures: await picturesBelow(folder, name, where) })
  const filled = classes.filter(({ pictures }) => pictures.length > 0)
  if (filled.length === 0) return flat.length === 0 ? null : imageFolder(folder, flat, null)
  if (flat.length > 0) {
    const message = `${where}: has ${flat.length} pictures beside folders of pictures (${listNames(filled.map(({ name }) => name))}), expected either; move them into the folders of their classes`
    throw new InputError('bad-folder', message)
  }
  const empty = classes.filter(({ pictures }) => pictures.length === 0).map(({ name }) => name)
  if (empty.length > 0) {
    const message = `${where}: ${listNames(empty)} without a picture, expected one folder a class; fill it, or move it elsewhere`
    throw new InputError('empty-class', message, { empty })
  }
  const labels = filled.flatMap(({ pictures }, label) => pictures.map(() => label))
  return imageFolder(
    folder,
    filled.flatMap(({ pictures }) => pictures),
    { names: filled.map(({ name }) => name), labels },
  )
}

function imageFolder(folder: string, names: readonly string[], classes: ImageFolder['classes']): ImageFolder {
  const digests = new Uint8Array(32 * names.length)
  const hashed = new Uint8Array(names.length)
  const read = async (index: number) => {
    const path = join(folder, names[index] as string)
    const file = await openFile(path)
    try {
      checkFileSize(file.byteLength, showText(path, 300))
      const bytes = await readBytes(file, 0, file.byteLength, showText(path, 300))
      const hash = newNodeSha256()
      hash.update(bytes)
      digests.set(hash.digest(), 32 * index)
      hashed[index] = 1
      return bytes
    } finally {
      await file.close()
    }
  }
  return {
    names,
    classes,
    read,
    async digest(others) {
      for (let index = 0; index < names.length; index++) if (!hashed[index]) await read(index)
      const pictures = names.map((name, index) => ({ name, digest: digests.subarray(32 * index, 32 * (index + 1)) }))
      return rootOf([...pictures, ...others]).digest
    },
  }
}

/** Below a folder of a class, by the paths of folders and then by names, as sorting what `os.walk` gives. */
async function picturesBelow(folder: string, name: string, where: string): Promise<string[]> {
  const found: { readonly path: string; readonly name: string }[] = []
  const walk = async (path: string, depth: number): Promise<void> => {
    if (depth > maxDepth) throw new InputError('bad-folder', `${where}: has folders ${depth} deep, expected at most ${maxDepth}`)
    const { files, folders } = await list(join(folder, path))
    for (const file of files) if (isPicture(file)) found.push({ path, name: file })
    if (found.length > maxPictures) {
      throw new InputError('too-large', `${where}: has more than ${maxPictures} pictures in one class, expected fewer; extract it in parts`)
    }
    for (const inner of folders) await walk(`${path}/${inner}`, depth + 1)
  }
  await walk(name, 1)
  found.sort((a, b) => byCodePoints(a.path, b.path) || byCodePoints(a.name, b.name))
  return found.map((picture) => `${picture.path}/${picture.name}`)
}

/** Files and folders of a folder, sorted, where links are what they lead to; names with a dot in front, and links that lead nowhere, are left out. */
async function list(folder: string): Promise<{ files: string[]; folders: string[] }> {
  const files: string[] = []
  const folders: string[] = []
  for (const entry of await orFileError(folder, (path) => readdir(path, { withFileTypes: true }))) {
    if (entry.name.startsWith('.')) continue
    const is = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => null) : entry
    if (is?.isFile()) files.push(entry.name)
    else if (is?.isDirectory()) folders.push(entry.name)
  }
  return { files: files.sort(byCodePoints), folders: folders.sort(byCodePoints) }
}
