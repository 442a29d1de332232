import { basename, join, resolve } from 'node:path'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { arrayToLabels } from '../io/labels.js'
import type { FileSource } from '../io/node-file-source.js'
import { readNpy } from '../io/npy.js'
import type { ExtractedFile } from './extracted-file.js'
import { classNamesFile, labelFiles, labelsFile } from './label-files.js'
import { openImageFolder } from './node-image-folder.js'
import { sha256Of } from './node-input-digests.js'
import { readPictureLabels } from './picture-labels.js'
import type { PictureRows } from './picture-rows.js'
import { decodePicture } from './pictures/node-codecs.js'

/** Labels of pictures that lie in one folder, in the order they are looked for; `metadata.csv` is that of the library `datasets`. */
const labelNames = ['labels.npy', 'labels.csv', 'metadata.csv', 'labels.json', 'labels.jsonl']

/**
 * Opens a folder of pictures (see `openImageFolder`): labels are the indices of its sorted class folders, or come from a file of labels beside the pictures. A
 * picture is read and decoded when its row is. `picture_names.json` says which one each row is. null where it holds no pictures.
 *
 * Throws `InputError` as `openImageFolder`, `readPictureLabels` and the readers do.
 */
export async function openFolderPictures(
  path: string,
  listed: readonly string[],
  open: (path: string) => Promise<FileSource>,
): Promise<PictureRows | null> {
  const folder = await openImageFolder(path)
  if (!folder) return null
  const { names, classes } = folder
  const beside: ExtractedFile[] = [{ name: 'picture_names.json', bytes: new TextEncoder().encode(`${JSON.stringify(names)}\n`) }]
  const others: FileSource[] = []
  if (classes) beside.push(labelsFile(classes.labels), classNamesFile(classes.names))
  else {
    const name = labelNames.find((candidate) => listed.includes(candidate))
    if (name !== undefined) {
      const file = await open(join(path, name))
      others.push(file)
      beside.push(...labelFiles(await readLabels(file, names), showText(file.name, 300)))
    }
  }
  return {
    count: names.length,
    async read(row) {
      const where = showText(join(path, names[row] as string), 300)
      return { where, pixels: await decodePicture(await folder.read(row), where) }
    },
    beside,
    async digests() {
      const read = await Promise.all(others.map(async (file) => ({ name: basename(file.name), digest: await sha256Of(file) })))
      return [{ name: basename(resolve(path)), sha256: await folder.digest(read), files: names.length + read.length }]
    },
  }
}

async function readLabels(file: FileSource, names: readonly string[]) {
  const where = showText(file.name, 300)
  if (!file.name.endsWith('.npy')) return readPictureLabels(file, names, where)
  const labels = arrayToLabels(await readNpy(file, where), where)
  if (labels.length === names.length) return labels
  throw new InputError(
    'row-count',
    `${where}: has ${labels.length} labels, expected ${names.length}, one a picture in the order of their names`,
  )
}
