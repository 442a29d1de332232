import { createHash } from 'node:crypto'
import type { Progress } from '../core/backend.js'
import { toHex } from '../core/bytes-as-text.js'
import { InputError, OptionError } from '../core/errors.js'
import { pause } from '../core/pause.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from '../io/byte-source.js'
import { type FileSource, openFile } from '../io/node-file-source.js'
import { npyHeader, writeNpy } from '../io/npy-writer.js'
import type { ExtractedFile } from './extracted-file.js'
import { inputOf, type ModelRunner, ownRunner } from './model-runner.js'
import { logitsOf, penultimateOf } from './network/network.js'
import { externalFiles } from './node-external-files.js'
import type { HubOrigin } from './node-hub-repository.js'
import { digestsOf, sha256Of } from './node-input-digests.js'
import { type ModelInputs, openInputs, preprocessingBeside } from './node-inputs.js'
import { type OnnxModel, readOnnx } from './onnx.js'
import { onnxRuntimeRunner } from './onnx-runtime.js'
import type { InputDigest } from './picture-rows.js'
import type { Preprocessing } from './preprocess.js'

export interface ExtractOptions {
  /** The value of the graph to take as activations. Default: what goes into the last linear layer. */
  readonly tensor?: string | undefined
  /** How pictures are prepared. Default: preprocessor_config.json beside the model, else bytes divided by 255. */
  readonly preprocess?: Preprocessing | undefined
  /** Rows that are run at a time. Default 64. */
  readonly batch?: number | undefined
  /** `auto`: here, or in ONNX Runtime where the model has operations that are not known here. */
  readonly runtime?: 'auto' | 'assay' | 'onnxruntime' | undefined
  /** Where model and data were fetched from, for the record. */
  readonly hub?: HubOrigins | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

export interface HubOrigins {
  readonly model?: HubOrigin | undefined
  readonly data?: HubOrigin | undefined
}

/** What was read and how, to find out later whether activations belong to a model and its inputs. */
export interface ExtractionRecord {
  readonly schemaVersion: 1
  /** Of the model's file, and of the files of weights beside it where there are any. */
  readonly model: { readonly sha256: string; readonly files?: readonly { readonly name: string; readonly sha256: string }[] }
  readonly inputs: readonly InputDigest[]
  /** The commits of the Hub that model and data are of, where they were fetched from there. */
  readonly hub?: HubOrigins
  readonly tensor: string
  readonly rows: number
  readonly features: number
  readonly batch: number
  readonly runtime: ModelRunner['name']
  readonly preprocess: Preprocessing | null
  /** SHA-256 of `{tensor, batch, runtime, preprocess}` as JSON, those above in this order. */
  readonly options: { readonly sha256: string }
}

/**
 * Runs the ONNX model at `modelPath` on the inputs at `dataPath` and gives the files of an audit folder: `activations.npy`, `logits.npy` and
 * `preds.npy`, `extraction.json`, and what the data has beside its inputs (labels, class names, pictures, trusted rows). The data is a
 * folder with `images.npz`, `images_subset.npz` (then only those rows), `images.npy`, `token_ids.npy` or Parquet files, and `labels.npy`; a folder of
 * pictures (`openFolderPictures`); or one file of pictures (`.npz`, `.npy`, Parquet, safetensors) or of token ids. Inputs are read, and activations
 * computed, batch by batch while they are taken from `files`, in order; call `close` after.
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
    const external = externalFiles(modelPath, open)
    const model = await readOnnx(source, external.open)
    const tensor = options.tensor ?? penultimateOf(model)
    if (tensor === null) {
      throw new InputError(
        'bad-tensor',
        `${showText(modelPath, 300)}: has no linear layer before its output; name the activations (--tensor)`,
      )
    }
    const runner = await chooseRunner(model, { source, external: external.opened }, tensor, options)
    const preprocess = options.preprocess ?? (await preprocessingBeside(modelPath))
    const inputs = await openInputs(dataPath, inputOf(model), preprocess, open)
    const [digest] = await digestsOf([source])
    const modelFiles = await Promise.all([...external.opened].map(async ([name, file]) => ({ name, sha256: toHex(await sha256Of(file)) })))
    let record: ExtractionRecord | null = null
    return {
      files: extractedFiles({ runner, inputs, batch, options }, async ({ features }) => {
        const chosen = { tensor, batch, runtime: runner.name, preprocess: inputs.pictures ? preprocess : null }
        record = {
          schemaVersion: 1,
          model: { sha256: (digest as InputDigest).sha256, ...(modelFiles.length > 0 && { files: modelFiles }) },
          inputs: await inputs.digests(),
          ...(options.hub && (options.hub.model || options.hub.data) && { hub: options.hub }),
          tensor,
          rows: inputs.rows,
          features,
          batch,
          runtime: runner.name,
          preprocess: chosen.preprocess,
          options: { sha256: createHash('sha256').update(JSON.stringify(chosen)).digest('hex') },
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

interface Extraction {
  readonly runner: ModelRunner
  readonly inputs: ModelInputs
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
  { source, external }: { source: ByteSource; external: ReadonlyMap<string, ByteSource> },
  tensor: string,
  { runtime = 'auto' }: ExtractOptions,
): Promise<ModelRunner> {
  const inRuntime = async () => {
    const logits = logitsOf(model)?.name ?? ''
    const whole = (file: ByteSource) => readBytes(file, 0, file.byteLength, showText(file.name, 300))
    const bytes = await whole(source)
    const externalData = await Promise.all([...external].map(async ([path, file]) => ({ path, data: await whole(file) })))
    return onnxRuntimeRunner({ bytes, externalData, input: inputOf(model), tensor, logits })
  }
  if (runtime === 'onnxruntime') return inRuntime()
  try {
    return await ownRunner(model, tensor)
  } catch (error) {
    if (runtime === 'assay' || !(error instanceof InputError) || error.code !== 'unsupported-model') throw error
    return inRuntime()
  }
}
