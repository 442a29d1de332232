import type { ActivationSetInput } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { newSha256InJs } from '../core/sha256-in-js.js'
import type { ByteSource } from '../io/byte-source.js'
import { memorySource } from '../io/byte-source.js'
import { concatBytes } from '../io/concat-bytes.js'
import { arrayToLabels } from '../io/labels.js'
import { readNpy } from '../io/npy.js'
import type { OpenExternal } from '../io/onnx-external.js'
import type { ExtractedFile } from './extracted-file.js'
import { argmax, batchOf, type ExtractionRecord, type ExtractOptions, openModel, recordOf, runBatches } from './extraction.js'
import { filePlace, type PlacedFile } from './file-place.js'
import { openInputs } from './inputs.js'
import { webDecodePicture } from './pictures/web-codecs.js'
import { defaultPreprocessing } from './preprocess.js'

export interface ExtractSetOptions extends ExtractOptions {
  /** Opens files of weights beside the model (external data). */
  readonly openExternal?: OpenExternal | undefined
}

/** What an audit takes, made of a model and its inputs. */
export interface ExtractedSet {
  readonly activations: { readonly data: Float32Array; readonly rows: number; readonly cols: number }
  readonly logits: { readonly data: Float32Array; readonly rows: number; readonly cols: number }
  /** `[n]` the class of the greatest logit. */
  readonly predictions: Int32Array
  /** As the data has them; null where it has none, and `audit` has to be given some. */
  readonly labels: ActivationSetInput['labels'] | null
  readonly classNames: ActivationSetInput['classNames']
  readonly record: ExtractionRecord
}

/**
 * Runs an ONNX model on inputs, in a browser: a `File`, or the files of a folder, as `extract` takes them in Node, of which it differs in that everything is in memory
 * at the end. `audit({ ...set, labels })` takes the result. With `device`, ONNX Runtime computes on that device, and the activations are read back from it
 * batch by batch.
 *
 * Throws `InputError` as `openModel` and `openInputs` do, `OptionError` `bad-option`, and the signal's reason.
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
  const rowsOf = await openInputs(filePlace(inputs), opened.input, preprocess, tools)
  const { rows } = rowsOf
  let [activations, logits] = [new Float32Array(), new Float32Array()]
  let [cols, classes] = [0, 0]
  for await (const batch of runBatches(opened.runner, rowsOf, options)) {
    if (batch.start === 0) {
      cols = batch.activations.length / batch.rows
      classes = batch.logits.length / batch.rows
      activations = new Float32Array(rows * cols)
      logits = new Float32Array(rows * classes)
    }
    activations.set(batch.activations, batch.start * cols)
    logits.set(batch.logits, batch.start * classes)
  }
  const beside = rowsOf.beside()
  const named = async (name: string) => {
    const file = beside.find((one) => one.name === name)
    return file ? wholeFile(file) : null
  }
  const [labels, names] = [await named('labels.npy'), await named('class_names.json')]
  return {
    activations: { data: activations, rows, cols },
    logits: { data: logits, rows, cols: classes },
    predictions: argmax(logits, rows),
    labels: labels && arrayToLabels(await readNpy(memorySource('labels.npy', labels), 'labels'), 'labels'),
    classNames: names ? classNamesOf(names) : undefined,
    record: await recordOf({ model: opened, inputs: rowsOf, features: cols, preprocess, options }, newSha256InJs),
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
