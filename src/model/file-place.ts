import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { blobSource } from '../io/blob-source.js'
import { readBytes } from '../io/byte-source.js'
import { type InputPlace, isHidden, isPictureName } from './input-place.js'
import { checkFileSize } from './pictures/pixels.js'

/** A file of a folder that a page was given: its path below the folder, with `/`. */
export interface PlacedFile {
  readonly path: string
  readonly file: Blob
}

/**
 * What a page was given: one `File`, or the files of a folder (of an `<input webkitdirectory>`, or dropped), or files by their paths. Files whose names, or whose folders' names, begin
 * with a dot are left aside.
 */
export function filePlace(given: File | Iterable<File | PlacedFile>): InputPlace {
  if (given instanceof Blob) return onlyFile(given)
  const files = new Map<string, Blob>()
  let folder = 'the folder'
  for (const item of given) {
    const placed = item instanceof Blob ? fromFolder(item) : { ...item, folder: null }
    folder = placed.folder ?? folder
    if (!placed.path.split('/').some(isHidden)) files.set(placed.path, placed.file)
  }
  const fileOf = (path: string): Blob => {
    const file = files.get(path)
    if (!file) throw new InputError('not-found', `${showText(folder, 200)}: has no file '${showText(path, 200)}'; choose it too`)
    return file
  }
  const paths = [...files.keys()]
  const tops = paths.map((path) => path.split('/')) as [string, ...string[]][]
  const folders = [...new Set(tops.filter(({ length }) => length > 1).map(([top]) => top))]
  return {
    name: folder,
    listed: [...new Set(tops.map(([top]) => top))].sort(),
    pathOf: (path) => `${folder}/${path}`,
    open: async (path = '') => blobSource(fileOf(path), `${folder}/${path}`),
    async readPicture(path) {
      const source = blobSource(fileOf(path), `${folder}/${path}`)
      const where = showText(source.name, 300)
      checkFileSize(source.byteLength, where)
      return readBytes(source, 0, source.byteLength, where)
    },
    listPictures: async () => ({ pictures: paths.filter(isPictureName), folders }),
  }
}

function onlyFile(file: File): InputPlace {
  const open = async () => blobSource(file, file.name)
  return {
    name: file.name,
    listed: null,
    pathOf: () => file.name,
    open,
    readPicture: async () => readBytes(await open(), 0, file.size, showText(file.name, 300)),
    listPictures: async () => ({ pictures: [], folders: [] }),
  }
}

/** Of a folder that was chosen, files have paths that begin with its name. */
function fromFolder(file: File): PlacedFile & { readonly folder: string | null } {
  const path = file.webkitRelativePath || file.name
  const slash = path.indexOf('/')
  return slash < 0 ? { path, file, folder: null } : { path: path.slice(slash + 1), file, folder: path.slice(0, slash) }
}
