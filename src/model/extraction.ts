import type { Progress } from '../core/backend.js'
import { toHex } from '../core/bytes-as-text.js'
import type { Sha256 } from '../core/digest.js'
import { InputError, OptionError } from '../core/errors.js'
import { pause } from '../core/pause.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from '../io/byte-source.js'
import type { OpenExternal } from '../io/onnx-external.js'
import { sha256Of } from './input-digests.js'
import type { ModelInputs } from './inputs.js'
import { inputOf, type ModelRunner, ownRunner } from './model-runner.js'
import { logitsOf, penultimateOf } from './network/network.js'
import { type OnnxModel, readOnnx } from './onnx.js'
import { onnxRuntimeRunner } from './onnx-runtime.js'
import type { InputDigest } from './picture-rows.js'
import type { Preprocessing } from './preprocess.js'

export interface ExtractOptions {
  /** The value of the graph to take as activations. Default: what goes into the last linear layer. */
  readonly tensor?: string | undefined
  /** How pictures are prepared. Default: preprocessor_config.json beside the model, where that can be looked at, else bytes divided by 255. */
  readonly preprocess?: Preprocessing | undefined
  /** Rows that are run at a time. Default 64. */
  readonly batch?: number | undefined
  /** `auto`: here, or in ONNX Runtime where the model has operations that are not known here. */
  readonly runtime?: 'auto' | 'assay' | 'onnxruntime' | undefined
  /** In browsers: a `GPUDevice` that ONNX Runtime computes on, and that activations stay on; `auto` takes ONNX Runtime then. */
  readonly device?: object | undefined
  /** Where model and data were fetched from, for the record. */
  readonly hub?: HubOrigins | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/** What a name on the Hub stood for when it was asked. */
export interface HubOrigin {
  /** `org/name`, or `datasets/org/name`. */
  readonly repository: string
  /** The commit, 40 hexadecimal digits. */
  readonly revision: string
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

/** A model that is ready to be run. */
export interface OpenedModel {
  readonly source: ByteSource
  /** The files of weights that were opened, by the paths that the model has for them. */
  readonly external: ReadonlyMap<string, ByteSource>
  readonly input: ReturnType<typeof inputOf>
  readonly tensor: string
  readonly runner: ModelRunner
}

/**
 * Reads a model and makes it ready: finds the activations, and chooses what runs it. Throws `InputError` as `readOnnx`, `prepareNetwork` and
 * `onnxRuntimeRunner` do, and `bad-tensor`.
 */
export async function openModel(source: ByteSource, openExternal: OpenExternal | undefined, options: ExtractOptions): Promise<OpenedModel> {
  const external = new Map<string, ByteSource>()
  const open: OpenExternal = async (location) => {
    const file = await (openExternal as OpenExternal)(location)
    external.set(location, file)
    return file
  }
  const model = await readOnnx(source, openExternal && open)
  const tensor = options.tensor ?? penultimateOf(model)
  if (tensor === null) {
    throw new InputError(
      'bad-tensor',
      `${showText(source.name, 300)}: has no linear layer before its output; name the activations (--tensor)`,
    )
  }
  const runner = await chooseRunner(model, { source, external }, tensor, options)
  return { source, external, input: inputOf(model), tensor, runner }
}

async function chooseRunner(
  model: OnnxModel,
  { source, external }: Pick<OpenedModel, 'source' | 'external'>,
  tensor: string,
  { runtime = 'auto', device }: ExtractOptions,
): Promise<ModelRunner> {
  const inRuntime = async () => {
    const logits = logitsOf(model)?.name ?? ''
    const whole = (file: ByteSource) => readBytes(file, 0, file.byteLength, showText(file.name, 300))
    const bytes = await whole(source)
    const externalData = await Promise.all([...external].map(async ([path, file]) => ({ path, data: await whole(file) })))
    return onnxRuntimeRunner({ bytes, externalData, input: inputOf(model), tensor, logits, device })
  }
  if (runtime === 'onnxruntime' || (runtime === 'auto' && device)) return inRuntime()
  try {
    return await ownRunner(model, tensor)
  } catch (error) {
    if (runtime === 'assay' || !(error instanceof InputError) || error.code !== 'unsupported-model') throw error
    return inRuntime()
  }
}

/** What a model makes of rows `start` … `start + rows − 1`: activations `[rows, d]` and logits `[rows, classes]`. */
export type RunBatch<T = Awaited<ReturnType<ModelRunner['run']>>> = T & { readonly start: number; readonly rows: number }

/** Rows that are run at a time. Throws `OptionError` `bad-option`. */
export function batchOf({ batch = 64 }: ExtractOptions): number {
  if (Number.isInteger(batch) && batch >= 1 && batch <= 65_536) return batch
  throw new OptionError('bad-option', `batch: got ${batch}, expected a whole number from 1 to 65536`)
}

/** Reads the inputs and runs a model on them (`run` or `runOnDevice` of its runner), batch by batch. Throws as reading inputs does, and the signal's reason. */
export async function* runBatches<T>(
  run: (x: Float32Array, rows: number) => Promise<T>,
  inputs: ModelInputs,
  options: ExtractOptions,
): AsyncGenerator<RunBatch<T>> {
  const batch = batchOf(options)
  for (let start = 0; start < inputs.rows; start += batch) {
    options.signal?.throwIfAborted()
    await pause()
    const end = Math.min(start + batch, inputs.rows)
    const out = await run(await inputs.read(start, end), end - start)
    options.onProgress?.({ stage: 'running the model', done: end, total: inputs.rows })
    yield { start, rows: end - start, ...out }
  }
}

/** The index of the greatest logit of each row; the first of several. */
export function argmax(logits: Float32Array, rows: number): Int32Array {
  const classes = logits.length / rows
  return Int32Array.from({ length: rows }, (_, row) => {
    let best = 0
    for (let c = 1; c < classes; c++) if ((logits[row * classes + c] as number) > (logits[row * classes + best] as number)) best = c
    return best
  })
}

export interface RecordOf {
  readonly model: OpenedModel
  readonly inputs: ModelInputs
  readonly features: number
  readonly preprocess: Preprocessing
  readonly options: ExtractOptions
}

/** What was done, asked when all inputs were read. Throws as reading the files again does. */
export async function recordOf(
  { model, inputs, features, preprocess, options }: RecordOf,
  newSha256: () => Sha256,
): Promise<ExtractionRecord> {
  const digest = async (file: ByteSource) => toHex(await sha256Of(file, newSha256))
  const files = await Promise.all([...model.external].map(async ([name, file]) => ({ name, sha256: await digest(file) })))
  const { hub } = options
  const chosen = {
    tensor: model.tensor,
    batch: batchOf(options),
    runtime: model.runner.name,
    preprocess: inputs.pictures ? preprocess : null,
  }
  const hash = newSha256()
  hash.update(new TextEncoder().encode(JSON.stringify(chosen)))
  return {
    schemaVersion: 1,
    model: { sha256: await digest(model.source), ...(files.length > 0 && { files }) },
    inputs: await inputs.digests(),
    ...(hub && (hub.model || hub.data) && { hub }),
    tensor: chosen.tensor,
    rows: inputs.rows,
    features,
    batch: chosen.batch,
    runtime: chosen.runtime,
    preprocess: chosen.preprocess,
    options: { sha256: toHex(hash.digest()) },
  }
}
