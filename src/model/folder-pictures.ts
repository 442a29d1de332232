import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { arrayToLabels } from '../io/labels.js'
import { readNpy } from '../io/npy.js'
import { rootDigest } from '../io/root-digest.js'
import { arrangePictures } from './arrange-pictures.js'
import type { ExtractedFile } from './extracted-file.js'
import { baseName, sha256Of } from './input-digests.js'
import type { InputPlace, InputTools } from './input-place.js'
import { classNamesFile, labelFiles, labelsFile } from './label-files.js'
import { readPictureLabels } from './picture-labels.js'
import type { PictureRows } from './picture-rows.js'

/** Labels of pictures that lie in one folder, in the order they are looked for; `metadata.csv` is that of the library `datasets`. */
const labelNames = ['labels.npy', 'labels.csv', 'metadata.csv', 'labels.json', 'labels.jsonl']

/**
 * Opens a folder of pictures (see `arrangePictures`): labels are the indices of its sorted class folders, or come from a file of labels beside the pictures. A
 * picture is read, hashed and decoded when its row is. `picture_names.json` says which one each row is. null where it holds no pictures.
 *
 * Throws `InputError` as `arrangePictures`, `readPictureLabels` and the readers do.
 */
export async function openFolderPictures(place: InputPlace, { decodePicture, newSha256 }: InputTools): Promise<PictureRows | null> {
  const arranged = arrangePictures(await place.listPictures(), showText(place.name, 300))
  if (!arranged) return null
  const { names, classes } = arranged
  const beside: ExtractedFile[] = [{ name: 'picture_names.json', bytes: new TextEncoder().encode(`${JSON.stringify(names)}\n`) }]
  let labels: ByteSource | null = null
  if (classes) beside.push(labelsFile(classes.labels), classNamesFile(classes.names))
  else {
    const name = labelNames.find((candidate) => place.listed?.includes(candidate))
    labels = name === undefined ? null : await place.open(name)
    if (labels) beside.push(...labelFiles(await readLabels(labels, names), showText(labels.name, 300)))
  }
  const digests = new Uint8Array(32 * names.length)
  const hashed = new Uint8Array(names.length)
  const readFile = async (index: number) => {
    const bytes = await place.readPicture(names[index] as string)
    const hash = newSha256()
    hash.update(bytes)
    digests.set(hash.digest(), 32 * index)
    hashed[index] = 1
    return bytes
  }
  return {
    count: names.length,
    async read(row) {
      const where = showText(place.pathOf(names[row] as string), 300)
      return { where, pixels: await decodePicture(await readFile(row), where) }
    },
    beside,
    async digests() {
      for (let index = 0; index < names.length; index++) if (!hashed[index]) await readFile(index)
      const files = names.map((name, index) => ({ name, digest: digests.subarray(32 * index, 32 * (index + 1)) }))
      if (labels) files.push({ name: baseName(labels.name), digest: new Uint8Array(await sha256Of(labels, newSha256)) })
      return [{ name: baseName(place.name), sha256: rootDigest(files, newSha256).digest, files: files.length }]
    },
  }
}

async function readLabels(file: ByteSource, names: readonly string[]) {
  const where = showText(file.name, 300)
  if (!file.name.endsWith('.npy')) return readPictureLabels(file, names, where)
  const labels = arrayToLabels(await readNpy(file, where), where)
  if (labels.length === names.length) return labels
  throw new InputError(
    'row-count',
    `${where}: has ${labels.length} labels, expected ${names.length}, one a picture in the order of their names`,
  )
}
