import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { readBytes } from '../io/byte-source.js'
import { type FileSource, isFolder, openFile, orFileError } from '../io/node-file-source.js'
import { newNodeSha256 } from '../io/node-sha256.js'
import { type InputPlace, type InputTools, isHidden, isPictureName } from './input-place.js'
import { decodePicture } from './pictures/node-codecs.js'
import { checkFileSize } from './pictures/pixels.js'

export const nodeInputTools: InputTools = { decodePicture, newSha256: newNodeSha256 }

const maxDepth = 16

/**
 * A folder or a file on this machine. Links are followed, and names that begin with a dot left aside. `open` opens files, and closes them some day. Throws
 * `InputError` as `openFile` does, and `bad-folder` for folders too deep, which a circle of links is.
 */
export async function nodeInputPlace(path: string, open: (path: string) => Promise<FileSource>): Promise<InputPlace> {
  const listed = (await isFolder(path)) ? (await orFileError(path, (at) => readdir(at))).sort() : null
  const isNameless = /(?:^|[\\/])\.{0,2}[\\/]*$/.test(path)
  return {
    name: isNameless ? resolve(path) : path,
    listed,
    pathOf: (below) => join(path, below),
    open: (below) => open(below === undefined ? path : join(path, below)),
    async readPicture(below) {
      const file = await openFile(join(path, below))
      try {
        const where = showText(file.name, 300)
        checkFileSize(file.byteLength, where)
        return await readBytes(file, 0, file.byteLength, where)
      } finally {
        await file.close()
      }
    },
    async listPictures() {
      const pictures: string[] = []
      const walk = async (below: string, depth: number): Promise<string[]> => {
        if (depth > maxDepth) {
          throw new InputError('bad-folder', `${showText(path, 300)}: has folders ${depth} deep, expected at most ${maxDepth}`)
        }
        const { files, folders } = await list(join(path, below))
        for (const name of files) if (isPictureName(name)) pictures.push(`${below}${name}`)
        for (const name of folders) await walk(`${below}${name}/`, depth + 1)
        return folders
      }
      return { folders: await walk('', 0), pictures }
    },
  }
}

/** Links are what they lead to; those that lead nowhere are left out. */
async function list(folder: string): Promise<{ files: string[]; folders: string[] }> {
  const files: string[] = []
  const folders: string[] = []
  for (const entry of await orFileError(folder, (path) => readdir(path, { withFileTypes: true }))) {
    if (isHidden(entry.name)) continue
    const is = entry.isSymbolicLink() ? await stat(join(folder, entry.name)).catch(() => null) : entry
    if (is?.isFile()) files.push(entry.name)
    else if (is?.isDirectory()) folders.push(entry.name)
  }
  return { files, folders }
}
