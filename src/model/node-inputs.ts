import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { wholeSource } from '../io/chunks.js'
import { listNames } from '../io/list-names.js'
import { type FileSource, isFolder, openFile } from '../io/node-file-source.js'
import { readNpy } from '../io/npy.js'
import { writeNpy } from '../io/npy-writer.js'
import { openNpz } from '../io/npz.js'
import { openRowImages } from '../io/row-images.js'
import { inputOf } from './model-runner.js'
import { readOnnx } from './onnx.js'
import type { PixelRange } from './pixel-range.js'
import { defaultPreprocessing, type Preprocessing, parsePreprocessing, pictureInput, rangeOf } from './preprocess.js'

/** A file of the audit folder: its bytes, or how they come one after another. */
export interface ExtractedFile {
  readonly name: string
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>
}

/** What a model is run on: a data set's inputs, row by row, and the files beside them. */
export interface ModelInputs {
  readonly rows: number
  readonly pictures: boolean
  readonly files: readonly ByteSource[]
  readonly beside: readonly ExtractedFile[]
  read(start: number, end: number): Promise<Float32Array>
}

/** What is carried into the audit folder, beside labels, as it is. */
const carriedNames = ['class_names.json', 'vocab.json', 'trusted_activations.npy', 'trusted_labels.npy']
const carriedPictures = ['images.npz', 'texts.jsonl.gz', 'texts.jsonl', 'token_ids.npy']

/** preprocessor_config.json beside a model; bytes divided by 255 where there is none. Throws `InputError` `bad-preprocessing`. */
export async function preprocessingBeside(modelPath: string): Promise<Preprocessing> {
  const path = join(dirname(modelPath), 'preprocessor_config.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return defaultPreprocessing
  }
  try {
    return parsePreprocessing(JSON.parse(text), showText(path, 300))
  } catch (cause) {
    if (cause instanceof OptionError) throw cause
    throw new InputError('bad-preprocessing', `${showText(path, 300)}: is not JSON; mend it, or pass --preprocess`, {}, cause)
  }
}

/** Names of inputs in a folder, in the order they are looked for. */
const inputNames = ['images.npz', 'images.npy', 'token_ids.npy', 'images_subset.npz']

/**
 * Opens the inputs at `path`, for a model that takes `input`. Throws `InputError` as the readers do, and `missing-array`, `bad-shape` and
 * `empty`.
 */
export async function openInputs(
  path: string,
  input: { readonly shape: readonly number[]; readonly dtype: string },
  preprocess: Preprocessing,
  open: (path: string) => Promise<FileSource>,
): Promise<ModelInputs> {
  const where = showText(path, 300)
  const folder = await isFolder(path)
  const listed = folder ? (await readdir(path)).sort() : []
  const wantsIds = input.dtype.startsWith('int')
  const name = inputNames.find((candidate) => listed.includes(candidate) && (candidate === 'token_ids.npy') === wantsIds)
  if (folder && !name) {
    const expected = wantsIds ? 'token_ids.npy' : 'images.npz, images.npy or images_subset.npz'
    throw new InputError(
      'missing-array',
      `${where}: holds ${listNames(listed)}, expected ${expected} for a model whose inputs are ${input.dtype}`,
    )
  }
  const file = await open(folder ? join(path, name as string) : path)
  const files: ByteSource[] = [file]
  const beside: ExtractedFile[] = []
  const length = input.shape.reduce((product, size) => product * size, 1)
  let rows: number
  let index: ArrayLike<number> | null = null
  let read: ModelInputs['read']
  if (wantsIds) {
    const { data, shape } = await readNpy(file, where)
    rows = shape[0] ?? 0
    if (data.length !== rows * length || Array.isArray(data)) {
      throw new InputError('bad-shape', `${where}: has token ids of shape [${shape}], expected rows of ${length}`)
    }
    read = async (start, end) => Float32Array.from({ length: (end - start) * length }, (_, at) => Number(data[start * length + at]))
  } else {
    const images = await openRowImages(file, undefined)
    rows = images.count
    if (name === 'images_subset.npz') index = await subsetIndex(file, where)
    read = async (start, end) => {
      const x = new Float32Array((end - start) * length)
      for (let row = start; row < end; row++) {
        x.set(pictureInput(await images.read(row), input.shape, preprocess, `${where}: picture ${row}`), (row - start) * length)
      }
      return x
    }
  }
  if (rows === 0) throw new InputError('empty', `${where}: has no rows, expected inputs`)
  if (folder) {
    for (const other of [...carriedNames, ...(index ? [] : carriedPictures)]) {
      if (listed.includes(other)) beside.push({ name: other, bytes: wholeSource(await open(join(path, other)), where).read() })
    }
    if (listed.includes('labels.npy')) {
      const labels = await open(join(path, 'labels.npy'))
      files.push(labels)
      beside.push({ name: 'labels.npy', bytes: index ? await takeLabels(labels, index) : wholeSource(labels, where).read() })
    }
  }
  if (index) beside.push({ name: 'rows.npy', bytes: writeNpy(Int32Array.from(index), [index.length]) })
  return { rows, pictures: !wantsIds, files, beside, read }
}

/** The rows that the pictures of a subset belong to. */
async function subsetIndex(file: ByteSource, where: string): Promise<ArrayLike<number>> {
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

export interface CleanInputs {
  /** `[n, inputLength]` */
  readonly inputs: Float32Array
  readonly range: PixelRange
}

/**
 * At most `most` of the pictures at `dataPath`, evenly spaced, as the model at `modelPath` takes them; null for a model that takes no pictures.
 * Throws as `readOnnx` and `openInputs` do.
 */
export async function cleanInputs(modelPath: string, dataPath: string, most: number): Promise<CleanInputs | null> {
  const opened: FileSource[] = []
  const open = async (path: string) => {
    const file = await openFile(path)
    opened.push(file)
    return file
  }
  try {
    const input = inputOf(await readOnnx(await open(modelPath)))
    if (input.dtype.startsWith('int')) return null
    const preprocess = await preprocessingBeside(modelPath)
    const { rows, read } = await openInputs(dataPath, input, preprocess, open)
    const count = Math.min(rows, most)
    const length = input.shape.reduce((product, size) => product * size, 1)
    const inputs = new Float32Array(count * length)
    for (let i = 0; i < count; i++) {
      const row = Math.floor((i * rows) / count)
      inputs.set(await read(row, row + 1), i * length)
    }
    return { inputs, range: rangeOf(preprocess) }
  } finally {
    for (const file of opened) await file.close()
  }
}
