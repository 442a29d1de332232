import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { wholeSource } from '../io/chunks.js'
import { listNames } from '../io/list-names.js'
import { readNpy } from '../io/npy.js'
import type { ExtractedFile } from './extracted-file.js'
import { openFolderPictures } from './folder-pictures.js'
import { digestsOf } from './input-digests.js'
import type { InputPlace, InputTools } from './input-place.js'
import { openPictureFiles } from './picture-files.js'
import type { InputDigest } from './picture-rows.js'
import { type Preprocessing, pictureInput, preparePicture } from './preprocess.js'
import { SeenPictures } from './seen-pictures.js'

/** What a model is run on: a data set's inputs, row by row, and the files beside them. */
export interface ModelInputs {
  readonly rows: number
  readonly pictures: boolean
  /** Asked when all rows were read. */
  beside(): readonly ExtractedFile[]
  read(start: number, end: number): Promise<Float32Array>
  /** Of what was read: asked when all rows were. */
  digests(): Promise<readonly InputDigest[]>
}

/** What is carried into the audit folder as it is. */
const carriedNames = ['class_names.json', 'vocab.json', 'trusted_activations.npy', 'trusted_labels.npy']
const carriedTexts = ['texts.jsonl.gz', 'texts.jsonl']
/** Files with pictures in a folder, in the order they are looked for. */
const pictureNames = ['images.npz', 'images.npy', 'images_subset.npz']

export interface InputsFor {
  /** What the model takes. */
  readonly input: { readonly shape: readonly number[]; readonly dtype: string }
  readonly preprocess: Preprocessing
  /** Whether pictures are to be shown later: they are kept in memory then, within bounds, and given `beside`. */
  readonly keepsPictures: boolean
}

/**
 * Opens the inputs at `place`, for a model. Throws `InputError` as the readers do, and `missing-array`, `bad-shape` and
 * `empty`.
 */
export async function openInputs(
  place: InputPlace,
  { input, preprocess, keepsPictures }: InputsFor,
  tools: InputTools,
): Promise<ModelInputs> {
  const where = showText(place.name, 300)
  const listed = place.listed ?? []
  const length = input.shape.reduce((product, size) => product * size, 1)
  const carry = async (names: readonly string[]): Promise<ExtractedFile[]> => {
    const found = names.filter((name) => listed.includes(name))
    return Promise.all(found.map(async (name) => ({ name, bytes: wholeSource(await place.open(name), where).read() })))
  }
  if (input.dtype.startsWith('int')) {
    if (place.listed && !listed.includes('token_ids.npy')) throw nothingFor(where, listed, 'token_ids.npy', input.dtype)
    const ids = await place.open(place.listed ? 'token_ids.npy' : undefined)
    const files = listed.includes('labels.npy') ? [ids, await place.open('labels.npy')] : [ids]
    const beside = await carry([...carriedNames, ...carriedTexts, 'token_ids.npy', 'labels.npy'])
    return { ...(await tokenRows(ids, length, where)), beside: () => beside, digests: () => digestsOf(files, tools.newSha256) }
  }
  const name = pictureNames.find((candidate) => listed.includes(candidate))
  const shards = name === undefined ? listed.filter((candidate) => candidate.endsWith('.parquet')) : [name]
  checkOneSplit(shards, where)
  const inFiles = place.listed === null || shards.length > 0
  const pictures = inFiles ? await openPictureFiles(place, place.listed && shards, tools) : await openFolderPictures(place, tools)
  if (!pictures)
    throw nothingFor(where, listed, 'pictures (.png, .jpg, .webp, .bmp, images.npz, images.npy, images_subset.npz, .parquet)', input.dtype)
  if (pictures.count === 0) throw new InputError('empty', `${where}: has no rows, expected inputs`)
  const made = new Set(pictures.beside.map((file) => file.name))
  const carried = await carry([...carriedNames, ...carriedTexts].filter((name) => !made.has(name)))
  const seen = keepsPictures && !made.has('images.npz') ? new SeenPictures(pictures.count) : null
  return {
    rows: pictures.count,
    pictures: true,
    beside: () => [...carried, ...pictures.beside, ...(seen?.files() ?? [])],
    digests: pictures.digests,
    async read(start, end) {
      const x = new Float32Array((end - start) * length)
      for (let row = start; row < end; row++) {
        const { pixels, where: picture } = await pictures.read(row)
        const prepared = preparePicture(pixels, input.shape, preprocess, picture)
        seen?.add(row, prepared)
        x.set(pictureInput(prepared, input.shape, preprocess, picture), (row - start) * length)
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
async function tokenRows(file: ByteSource, length: number, where: string): Promise<Pick<ModelInputs, 'rows' | 'pictures' | 'read'>> {
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
