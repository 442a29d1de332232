import type { ActivationSetInput } from '../core/activation-set.js'
import { dispose } from '../core/dispose.js'
import { InputError } from '../core/errors.js'
import { newSha256InJs } from '../core/sha256-in-js.js'
import { type ByteSource, memorySource } from '../io/byte-source.js'
import { concatBytes } from '../io/concat-bytes.js'
import { arrayToLabels } from '../io/labels.js'
import { readNpy } from '../io/npy.js'
import type { OpenExternal } from '../io/onnx-external.js'
import type { ExtractedFile } from './extracted-file.js'
import {
  argmax,
  batchOf,
  type ExtractionRecord,
  type ExtractOptions,
  type OpenedModel,
  openModel,
  recordOf,
  runBatches,
} from './extraction.js'
import { filePlace, type PlacedFile } from './file-place.js'
import { GpuRows } from './gpu-rows.js'
import { type ModelInputs, openInputs } from './inputs.js'
import type { ModelRunner } from './model-runner.js'
import { webDecodePicture } from './pictures/web-codecs.js'
import { defaultPreprocessing } from './preprocess.js'

export interface ExtractSetOptions extends ExtractOptions {
  /** Opens files of weights beside the model (external data). */
  readonly openExternal?: OpenExternal | undefined
}

/** A matrix in memory, row-major. */
export interface HostRows {
  readonly data: Float32Array
  readonly rows: number
  readonly cols: number
}

/** What an audit takes, made of a model and its inputs. */
export interface ExtractedSet {
  /** `[n, d]` in memory; with `device`, on that device, where an audit reads them block by block, until they are disposed. */
  readonly activations: HostRows | GpuRows
  readonly logits: HostRows
  /** `[n]` the class of the greatest logit. */
  readonly predictions: Int32Array
  /** As the data has them; null where it has none, and `audit` has to be given some. */
  readonly labels: ActivationSetInput['labels'] | null
  readonly classNames: ActivationSetInput['classNames']
  readonly record: ExtractionRecord
}

/**
 * Runs an ONNX model on inputs in a browser: on a `File`, or on the files of a folder, as `extract` takes them in Node. `audit({ ...set, labels })` takes the
 * result. With `device`, ONNX Runtime computes on that device and the activations stay there.
 *
 * Throws `InputError` as `openModel` and `openInputs` do, `OptionError` `bad-option`, `BackendError` where the device fails, and the signal's reason.
 */
export async function extractSet(
  model: ByteSource,
  inputs: File | Iterable<File | PlacedFile>,
  options: ExtractSetOptions = {},
): Promise<ExtractedSet> {
  batchOf(options)
  const opened = await openModel(model, options.openExternal, options)
  const preprocess = options.preprocess ?? defaultPreprocessing
  const tools = { decodePicture: webDecodePicture, newSha256: newSha256InJs }
  const opening = await openInputs(filePlace(inputs), { input: opened.input, preprocess, keepsPictures: false }, tools)
  const { activations, logits } = await runAll(opened, opening, options)
  const beside = opening.beside()
  const named = async (name: string) => {
    const file = beside.find((one) => one.name === name)
    return file ? wholeFile(file) : null
  }
  const [labels, names] = [await named('labels.npy'), await named('class_names.json')]
  return {
    activations,
    logits,
    predictions: argmax(logits.data, logits.rows),
    labels: labels && arrayToLabels(await readNpy(memorySource('labels.npy', labels), 'labels'), 'labels'),
    classNames: names ? classNamesOf(names) : undefined,
    record: await recordOf({ model: opened, inputs: opening, features: activations.cols, preprocess, options }, newSha256InJs),
  }
}

type Computed = Pick<ExtractedSet, 'activations' | 'logits'>

async function runAll({ runner }: OpenedModel, inputs: ModelInputs, options: ExtractSetOptions): Promise<Computed> {
  const { device } = options
  if (runner.runOnDevice && device) return runOnDevice(runner.runOnDevice, device as GPUDevice, inputs, options)
  const activations = gathered(inputs.rows)
  const logits = gathered(inputs.rows)
  for await (const batch of runBatches(runner.run, inputs, options)) {
    activations.put(batch.activations, batch)
    logits.put(batch.logits, batch)
  }
  return { activations: activations.all(), logits: logits.all() }
}

async function runOnDevice(
  run: NonNullable<ModelRunner['runOnDevice']>,
  device: GPUDevice,
  inputs: ModelInputs,
  options: ExtractSetOptions,
): Promise<Computed> {
  const logits = gathered(inputs.rows)
  let activations: GpuRows | null = null
  try {
    for await (const { start, rows, activations: own, logits: scores } of runBatches(run, inputs, options)) {
      try {
        activations ??= new GpuRows(device, { rows: inputs.rows, cols: own.length / rows })
        activations.put(own.buffer, start, rows)
      } finally {
        own.release()
      }
      logits.put(scores, { start, rows })
    }
    const all = activations as GpuRows
    await all.settle()
    return { activations: all, logits: logits.all() }
  } catch (error) {
    activations?.[dispose]()
    throw error
  }
}

/** A matrix whose rows come batch by batch; how many columns it has shows with the first. */
function gathered(rows: number) {
  let data = new Float32Array()
  let cols = 0
  return {
    put(part: Float32Array, { start, rows: own }: { readonly start: number; readonly rows: number }) {
      if (start === 0) {
        cols = part.length / own
        data = new Float32Array(rows * cols)
      }
      data.set(part, start * cols)
    },
    all: (): HostRows => ({ data, rows, cols }),
  }
}

async function wholeFile({ bytes }: ExtractedFile): Promise<Uint8Array> {
  if (bytes instanceof Uint8Array) return bytes
  const parts: Uint8Array[] = []
  for await (const part of bytes) parts.push(part)
  return concatBytes(parts)
}

function classNamesOf(bytes: Uint8Array): ActivationSetInput['classNames'] {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new InputError('bad-json', 'class_names.json: is not valid JSON; write it with a JSON library', {}, cause)
  }
}
