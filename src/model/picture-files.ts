import { InputError } from '../core/errors.js'
import type { LabelsInput } from '../core/labels.js'
import { showText } from '../core/untrusted-text.js'
import { openBundle } from '../io/bundle.js'
import type { ByteSource } from '../io/byte-source.js'
import { wholeSource } from '../io/chunks.js'
import { sniffFormat } from '../io/format.js'
import { arrayToLabels } from '../io/labels.js'
import { listNames } from '../io/list-names.js'
import { readNpy } from '../io/npy.js'
import { writeNpy } from '../io/npy-writer.js'
import { openNpz } from '../io/npz.js'
import { parquetClassNames } from '../io/parquet-class-names.js'
import { openRowImages } from '../io/row-images.js'
import type { ExtractedFile } from './extracted-file.js'
import { digestsOf } from './input-digests.js'
import type { InputPlace, InputTools } from './input-place.js'
import { classNamesFile, labelFiles } from './label-files.js'
import type { PictureRows } from './picture-rows.js'

/** Names of the array, or the column, of labels in a bundle; the first that is there. */
const labelKeys = ['labels', 'label']

/**
 * Opens the pictures of one file (`.npz`, `.npy`, safetensors, Parquet), or of the `names` in a folder, whose rows follow each other. Labels are `labels.npy` of the
 * folder, else those in the files (`labels` or `label`, in Parquet with the names of their classes where `datasets` wrote them). Where a file says by an
 * `index` which rows its pictures are, labels are taken for those. Throws `InputError` as the readers do, and `row-count`, `missing-array`.
 */
export async function openPictureFiles(
  place: InputPlace,
  names: readonly string[] | null,
  { decodePicture, newSha256 }: InputTools,
): Promise<PictureRows> {
  const files: ByteSource[] = []
  if (names) for (const name of names) files.push(await place.open(name))
  else files.push(await place.open())
  const parts: { readonly start: number; readonly where: string; readonly images: Awaited<ReturnType<typeof openRowImages>> }[] = []
  let count = 0
  for (const file of files) {
    const images = await openRowImages(file, undefined)
    parts.push({ start: count, where: showText(file.name, 300), images })
    count += images.count
  }
  const read: PictureRows['read'] = async (row) => {
    const part = parts.findLast(({ start }) => start <= row)
    if (!part) throw new RangeError(`picture ${row} of ${count}`)
    const where = `${part.where}: picture ${row - part.start}`
    const picture = await part.images.read(row - part.start)
    return { where, pixels: picture.kind === 'pixels' ? picture : await decodePicture(picture.data, where) }
  }
  const [first] = files as [ByteSource]
  const index = names?.[0] === 'images_subset.npz' ? await subsetIndex(first) : null
  const hashed = [...files]
  const beside: ExtractedFile[] = []
  if (place.listed?.includes('labels.npy')) {
    const labels = await place.open('labels.npy')
    hashed.push(labels)
    const bytes = index ? await takeLabels(labels, index) : wholeSource(labels, showText(labels.name, 300)).read()
    beside.push({ name: 'labels.npy', bytes })
  } else beside.push(...(await bundledLabels(files, count)))
  if (index) beside.push({ name: 'rows.npy', bytes: writeNpy(Int32Array.from(index), [index.length]) })
  else if (names?.[0] === 'images.npz') {
    beside.push({ name: 'images.npz', bytes: wholeSource(first, showText(first.name, 300)).read() })
  }
  return { count, read, beside, digests: () => digestsOf(hashed, newSha256) }
}

/** Labels that lie in the files with the pictures; nothing where not every file has some. */
async function bundledLabels(files: readonly ByteSource[], count: number): Promise<ExtractedFile[]> {
  const labels: (number | bigint | string)[] = []
  let classNames: readonly string[] | null = null
  for (const file of files) {
    const where = showText(file.name, 300)
    const format = await sniffFormat(file)
    const members = (await openBundle(file, format))?.members
    const key = labelKeys.find((name) => members?.has(name))
    const source = key === undefined ? undefined : members?.get(key)
    if (key === undefined || !source) return []
    const array = 'readArray' in source ? await source.readArray(`${where}: ${key}`) : await readNpy(source, `${where}: ${key}`)
    for (const label of Array.from(arrayToLabels(array, `${where}: ${key}`) as ArrayLike<number | bigint | string>)) labels.push(label)
    if (format === 'parquet') classNames ??= await parquetClassNames(file, key, where)
  }
  if (labels.length !== count) {
    throw new InputError('row-count', `${showText(files[0]?.name, 300)}: has ${labels.length} labels, expected ${count}, one a picture`)
  }
  const made = labelFiles(labels as LabelsInput, 'labels')
  return made.length === 1 && classNames ? [...made, classNamesFile(classNames)] : made
}

/** The rows that the pictures of a subset belong to. */
async function subsetIndex(file: ByteSource): Promise<ArrayLike<number>> {
  const where = showText(file.name, 300)
  const archive = await openNpz(file)
  const member = archive.get('index')
  if (!member) throw new InputError('missing-array', `${where}: holds ${listNames([...archive.keys()])}, expected index too`)
  return Array.from((await readNpy(member, where)).data, Number)
}

async function takeLabels(source: ByteSource, index: ArrayLike<number>): Promise<Uint8Array> {
  const { data } = await readNpy(source, showText(source.name, 300))
  return writeNpy(
    Int32Array.from(index, (row) => Number(data[row])),
    [index.length],
  )
}
