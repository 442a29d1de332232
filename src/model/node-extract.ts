import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Progress } from '../core/backend.js'
import { InputError, OptionError } from '../core/errors.js'
import { pause } from '../core/pause.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from '../io/byte-source.js'
import { listNames } from '../io/list-names.js'
import { type FileSource, fileError, openFile } from '../io/node-file-source.js'
import { readNpy } from '../io/npy.js'
import { npyHeader, writeNpy } from '../io/npy-writer.js'
import { openNpz } from '../io/npz.js'
import { openRowImages } from '../io/row-images.js'
import { inputOf, type ModelRunner, ownRunner } from './model-runner.js'
import { logitsOf, penultimateOf } from './network/network.js'
import { type OnnxModel, readOnnx } from './onnx.js'
import { onnxRuntimeRunner } from './onnx-runtime.js'
import { defaultPreprocessing, type Preprocessing, parsePreprocessing, pictureInput } from './preprocess.js'

export interface ExtractOptions {
  /** The value of the graph to take as activations. Default: what goes into the last linear layer. */
  readonly tensor?: string | undefined
  /** Default: preprocessor_config.json beside the model, else bytes divided by 255. */
  readonly preprocess?: Preprocessing | undefined
  /** Rows that are run at a time. Default 64. */
  readonly batch?: number | undefined
  /** `auto`: here, or in ONNX Runtime where the model has operations that are not known here. */
  readonly runtime?: 'auto' | 'assay' | 'onnxruntime' | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** What was read and how, to find out later whether activations belong to a model and its inputs. */
export interface ExtractionRecord {
  readonly schemaVersion: 1
  readonly model: { readonly sha256: string }
  readonly inputs: readonly { readonly name: string; readonly sha256: string }[]
  readonly tensor: string
  readonly rows: number
  readonly features: number
  readonly batch: number
  readonly runtime: ModelRunner['name']
  readonly preprocess: Preprocessing | null
}

/** A file of the audit folder: its bytes, or how they come one after another. */
export interface ExtractedFile {
  readonly name: string
  readonly bytes: Uint8Array | AsyncIterable<Uint8Array>
}

/** What is carried into the audit folder, beside labels, as it is. */
const carriedNames = ['class_names.json', 'vocab.json', 'trusted_activations.npy', 'trusted_labels.npy']
const carriedPictures = ['images.npz', 'texts.jsonl.gz', 'texts.jsonl', 'token_ids.npy']

/**
 * Runs the ONNX model at `modelPath` on the inputs at `dataPath` and gives the files of an audit folder: `activations.npy`, `logits.npy` and
 * `preds.npy`, `extraction.json`, and what the data has beside its inputs (labels, class names, pictures, trusted rows). The data is a
 * folder with `images.npz`, `images_subset.npz` (then only those rows), `images.npy` or `token_ids.npy`, and `labels.npy`; or one file of
 * pictures (`.npz`, `.npy`, Parquet, safetensors) or of token ids. Activations are computed batch by batch while they are taken from
 * `files`, in order; close `inputs` after.
 *
 * Throws `InputError` as `readOnnx`, `prepareNetwork` and the readers do, and: `missing-array`, `bad-tensor`, `bad-shape`, `no-runtime`.
 */
export async function extract(
  modelPath: string,
  dataPath: string,
  options: ExtractOptions = {},
): Promise<{ files: AsyncIterable<ExtractedFile>; record: () => ExtractionRecord; close: () => Promise<void> }> {
  const { batch = 64 } = options
  if (!Number.isInteger(batch) || batch < 1 || batch > 65_536) {
    throw new OptionError('bad-option', `batch: got ${batch}, expected a whole number from 1 to 65536`)
  }
  const opened: FileSource[] = []
  const open = async (path: string) => {
    const file = await openFile(path)
    opened.push(file)
    return file
  }
  const close = async () => {
    for (const file of opened) await file.close()
  }
  try {
    const source = await open(modelPath)
    const model = await readOnnx(source)
    const tensor = options.tensor ?? penultimateOf(model)
    if (tensor === null) {
      throw new InputError(
        'bad-tensor',
        `${showText(modelPath, 300)}: has no linear layer before its output; name the activations (--tensor)`,
      )
    }
    const runner = await chooseRunner(model, source, tensor, options)
    const preprocess = options.preprocess ?? (await preprocessingBeside(modelPath))
    const inputs = await openInputs(dataPath, inputOf(model), preprocess, open)
    const digest = await sha256Of(source)
    let record: ExtractionRecord | null = null
    return {
      files: extractedFiles({ runner, inputs, batch, options }, async ({ features }) => {
        record = {
          schemaVersion: 1,
          model: { sha256: digest },
          inputs: await Promise.all(inputs.files.map(async (file) => ({ name: basename(file.name), sha256: await sha256Of(file) }))),
          tensor,
          rows: inputs.rows,
          features,
          batch,
          runtime: runner.name,
          preprocess: inputs.pictures ? preprocess : null,
        }
        return record
      }),
      record: () => {
        if (!record) throw new Error('the record is there when all files were taken')
        return record
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

interface Inputs {
  readonly rows: number
  readonly pictures: boolean
  readonly files: readonly ByteSource[]
  readonly beside: readonly ExtractedFile[]
  read(start: number, end: number): Promise<Float32Array>
}

interface Extraction {
  readonly runner: ModelRunner
  readonly inputs: Inputs
  readonly batch: number
  readonly options: ExtractOptions
}

async function* extractedFiles(
  { runner, inputs, batch, options }: Extraction,
  finish: (found: { features: number }) => Promise<ExtractionRecord>,
): AsyncGenerator<ExtractedFile> {
  const logits: Float32Array[] = []
  const compute = async (start: number) => {
    options.signal?.throwIfAborted()
    await pause()
    const end = Math.min(start + batch, inputs.rows)
    const out = await runner.run(await inputs.read(start, end), end - start)
    logits.push(out.logits)
    options.onProgress?.({ stage: 'running the model', done: end, total: inputs.rows })
    return out.activations
  }
  const first = await compute(0)
  const features = first.length / Math.min(batch, inputs.rows)
  yield {
    name: 'activations.npy',
    bytes: (async function* () {
      yield npyHeader({ descr: '<f4', fortranOrder: false, shape: [inputs.rows, features] })
      for (let start = 0; start < inputs.rows; start += batch) {
        const block = start === 0 ? first : await compute(start)
        yield new Uint8Array(block.buffer, block.byteOffset, block.byteLength)
      }
    })(),
  }
  const classes = (logits[0] as Float32Array).length / Math.min(batch, inputs.rows)
  const all = new Float32Array(inputs.rows * classes)
  let at = 0
  for (const block of logits) {
    all.set(block, at)
    at += block.length
  }
  yield { name: 'logits.npy', bytes: writeNpy(all, [inputs.rows, classes]) }
  yield { name: 'preds.npy', bytes: writeNpy(argmax(all, inputs.rows, classes), [inputs.rows]) }
  yield* inputs.beside
  const text = `${JSON.stringify(await finish({ features }), null, 2)}\n`
  yield { name: 'extraction.json', bytes: new TextEncoder().encode(text) }
}

function argmax(logits: Float32Array, rows: number, classes: number): Int32Array {
  return Int32Array.from({ length: rows }, (_, row) => {
    let best = 0
    for (let c = 1; c < classes; c++) if ((logits[row * classes + c] as number) > (logits[row * classes + best] as number)) best = c
    return best
  })
}

async function chooseRunner(
  model: OnnxModel,
  source: ByteSource,
  tensor: string,
  { runtime = 'auto' }: ExtractOptions,
): Promise<ModelRunner> {
  const inRuntime = async () => {
    const logits = logitsOf(model)?.name ?? ''
    const bytes = await readBytes(source, 0, source.byteLength, showText(source.name, 300))
    return onnxRuntimeRunner({ bytes, input: inputOf(model), tensor, logits })
  }
  if (runtime === 'onnxruntime') return inRuntime()
  try {
    return await ownRunner(model, tensor)
  } catch (error) {
    if (runtime === 'assay' || !(error instanceof InputError) || error.code !== 'unsupported-model') throw error
    return inRuntime()
  }
}

async function preprocessingBeside(modelPath: string): Promise<Preprocessing> {
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

async function openInputs(
  path: string,
  input: { readonly shape: readonly number[]; readonly dtype: string },
  preprocess: Preprocessing,
  open: (path: string) => Promise<FileSource>,
): Promise<Inputs> {
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
  let read: Inputs['read']
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
      if (listed.includes(other)) beside.push({ name: other, bytes: chunksOf(await open(join(path, other))) })
    }
    if (listed.includes('labels.npy')) {
      const labels = await open(join(path, 'labels.npy'))
      files.push(labels)
      beside.push({ name: 'labels.npy', bytes: index ? await takeLabels(labels, index) : chunksOf(labels) })
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

async function* chunksOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  const step = 4 * 2 ** 20
  for (let start = 0; start < source.byteLength; start += step) yield source.slice(start, Math.min(start + step, source.byteLength))
}

async function sha256Of(source: ByteSource): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunksOf(source)) hash.update(chunk)
  return hash.digest('hex')
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw fileError(error, path)
  }
}
