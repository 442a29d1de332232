import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { wholeSource } from '../io/chunks.js'
import { listNames } from '../io/list-names.js'
import { type FileSource, isFolder, openFile, orFileError } from '../io/node-file-source.js'
import { readNpy } from '../io/npy.js'
import type { ExtractedFile } from './extracted-file.js'
import { inputOf } from './model-runner.js'
import { externalFiles } from './node-external-files.js'
import { openFolderPictures } from './node-folder-pictures.js'
import { digestsOf } from './node-input-digests.js'
import { openPictureFiles } from './node-picture-files.js'
import { readOnnx } from './onnx.js'
import type { InputDigest } from './picture-rows.js'
import type { PixelRange } from './pixel-range.js'
import { defaultPreprocessing, type Preprocessing, pictureInput, rangeOf } from './preprocess.js'
import { parsePreprocessing } from './preprocessor-config.js'

/** What a model is run on: a data set's inputs, row by row, and the files beside them. */
export interface ModelInputs {
  readonly rows: number
  readonly pictures: boolean
  readonly beside: readonly ExtractedFile[]
  read(start: number, end: number): Promise<Float32Array>
  /** Of what was read: asked when all rows were. */
  digests(): Promise<readonly InputDigest[]>
}

/** What is carried into the audit folder as it is. */
const carriedNames = ['class_names.json', 'vocab.json', 'trusted_activations.npy', 'trusted_labels.npy']
const carriedTexts = ['texts.jsonl.gz', 'texts.jsonl']
/** Files with pictures in a folder, in the order they are looked for. */
const pictureNames = ['images.npz', 'images.npy', 'images_subset.npz']

/** preprocessor_config.json beside a model; bytes divided by 255 where there is none. Throws `InputError` and `OptionError` `bad-preprocessing`. */
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
  const listed = folder ? (await orFileError(path, (at) => readdir(at))).sort() : []
  const length = input.shape.reduce((product, size) => product * size, 1)
  const carry = async (names: readonly string[]): Promise<ExtractedFile[]> => {
    const sources = names.filter((name) => listed.includes(name)).map(async (name) => ({ name, source: await open(join(path, name)) }))
    return (await Promise.all(sources)).map(({ name, source }) => ({ name, bytes: wholeSource(source, where).read() }))
  }
  if (input.dtype.startsWith('int')) {
    if (folder && !listed.includes('token_ids.npy')) throw nothingFor(where, listed, 'token_ids.npy', input.dtype)
    const names = folder ? ['token_ids.npy', ...listed.filter((name) => name === 'labels.npy')] : [path]
    const files = await Promise.all(names.map((name) => open(folder ? join(path, name) : name)))
    const beside = await carry([...carriedNames, ...carriedTexts, 'token_ids.npy', 'labels.npy'])
    return { ...(await tokenRows(files[0] as FileSource, length, where)), beside, digests: () => digestsOf(files) }
  }
  const name = pictureNames.find((candidate) => listed.includes(candidate))
  const shards = name === undefined ? listed.filter((candidate) => candidate.endsWith('.parquet')) : [name]
  checkOneSplit(shards, where)
  const inFiles = !folder || shards.length > 0
  const paths = folder ? shards.map((shard) => join(path, shard)) : [path]
  const pictures = inFiles
    ? await openPictureFiles(paths, folder ? { path, listed } : null, open)
    : await openFolderPictures(path, listed, open)
  if (!pictures)
    throw nothingFor(where, listed, 'pictures (.png, .jpg, .webp, .bmp, images.npz, images.npy, images_subset.npz, .parquet)', input.dtype)
  if (pictures.count === 0) throw new InputError('empty', `${where}: has no rows, expected inputs`)
  const made = new Set(pictures.beside.map((file) => file.name))
  return {
    rows: pictures.count,
    pictures: true,
    beside: [...(await carry([...carriedNames, ...carriedTexts].filter((name) => !made.has(name)))), ...pictures.beside],
    digests: pictures.digests,
    async read(start, end) {
      const x = new Float32Array((end - start) * length)
      for (let row = start; row < end; row++) {
        const { pixels, where: picture } = await pictures.read(row)
        x.set(pictureInput(pixels, input.shape, preprocess, picture), (row - start) * length)
      }
      return x
    },
  }
}

/** Throws `InputError` `several-splits` where shards are of more than one split, as `train-00000-of-00001.parquet` and `test-00000-of-00001.parquet` are. */
function checkOneSplit(shards: readonly string[], where: string): void {
  const splits = new Set(
    shards.map((name) => /^(.*?)-?\d{5}-of-\d{5}(?:-[0-9a-f]+)?\.parquet$/.exec(name)?.[1] ?? name.replace(/[-_]?\d*\.parquet$/, '')),
  )
  if (splits.size <= 1) return
  throw new InputError(
    'several-splits',
    `${where}: has Parquet files of several splits (${listNames([...splits])}), expected one; name a file, or put each split into a folder of its own`,
  )
}

function nothingFor(where: string, listed: readonly string[], expected: string, dtype: string): InputError {
  return new InputError(
    'missing-array',
    `${where}: holds ${listNames(listed)}, expected ${expected} for a model whose inputs are ${dtype || 'numbers'}`,
  )
}

/** Rows of token ids, which are in memory then. */
async function tokenRows(file: FileSource, length: number, where: string): Promise<Pick<ModelInputs, 'rows' | 'pictures' | 'read'>> {
  const { data, shape } = await readNpy(file, where)
  const rows = shape[0] ?? 0
  if (data.length !== rows * length || Array.isArray(data)) {
    throw new InputError('bad-shape', `${where}: has token ids of shape [${shape}], expected rows of ${length}`)
  }
  if (rows === 0) throw new InputError('empty', `${where}: has no rows, expected inputs`)
  return {
    rows,
    pictures: false,
    read: async (start, end) => Float32Array.from({ length: (end - start) * length }, (_, at) => Number(data[start * length + at])),
  }
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
    const input = inputOf(await readOnnx(await open(modelPath), externalFiles(modelPath, open).open))
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
