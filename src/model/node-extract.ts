import { type FileSource, openFile } from '../io/node-file-source.js'
import { newNodeSha256 } from '../io/node-sha256.js'
import { npyHeader, writeNpy } from '../io/npy-writer.js'
import type { ExtractedFile } from './extracted-file.js'
import {
  argmax,
  batchOf,
  type ExtractionRecord,
  type ExtractOptions,
  openModel,
  type RunBatch,
  recordOf,
  runBatches,
} from './extraction.js'
import { type ModelInputs, openInputs } from './inputs.js'
import { externalFiles } from './node-external-files.js'
import { nodeInputPlace, nodeInputTools } from './node-input-place.js'
import { preprocessingBeside } from './node-inputs.js'

/** An extraction under way. */
export interface NodeExtraction {
  /** The files of the audit folder, in order; their bytes are made while they are taken. */
  readonly files: AsyncIterable<ExtractedFile>
  /** There when all files were taken. */
  record(): ExtractionRecord
  close(): Promise<void>
}

/**
 * Runs the ONNX model at `modelPath` on the inputs at `dataPath` and gives the files of an audit folder: `activations.npy`, `logits.npy` and
 * `preds.npy`, `extraction.json`, and what the data has beside its inputs (labels, class names, pictures, trusted rows). The data is a
 * folder with `images.npz`, `images_subset.npz` (then only those rows), `images.npy`, `token_ids.npy` or Parquet files, and `labels.npy`; a folder of
 * pictures (`openFolderPictures`); or one file of pictures (`.npz`, `.npy`, Parquet, safetensors) or of token ids. Inputs are read, and activations
 * computed, batch by batch while they are taken from `files`, in order; call `close` after.
 *
 * Throws `InputError` as `openModel`, `openInputs` and the readers do, `OptionError` `bad-option`.
 */
export async function extract(modelPath: string, dataPath: string, options: ExtractOptions = {}): Promise<NodeExtraction> {
  batchOf(options)
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
    const model = await openModel(await open(modelPath), externalFiles(modelPath, open), options)
    const preprocess = options.preprocess ?? (await preprocessingBeside(modelPath))
    const place = await nodeInputPlace(dataPath, open)
    const inputs = await openInputs(place, { input: model.input, preprocess, keepsPictures: true }, nodeInputTools)
    let record: ExtractionRecord | null = null
    const finish = async (features: number) => {
      record = await recordOf({ model, inputs, features, preprocess, options }, newNodeSha256)
      return record
    }
    return {
      files: extractedFiles(runBatches(model.runner.run, inputs, options), inputs, finish),
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

async function* extractedFiles(
  batches: AsyncGenerator<RunBatch>,
  { rows, beside }: ModelInputs,
  finish: (features: number) => Promise<ExtractionRecord>,
): AsyncGenerator<ExtractedFile> {
  const first = (await batches.next()).value as RunBatch
  const features = first.activations.length / first.rows
  const classes = first.logits.length / first.rows
  const logits = new Float32Array(rows * classes)
  const taken = ({ start, activations, logits: own }: RunBatch) => {
    logits.set(own, start * classes)
    return new Uint8Array(activations.buffer, activations.byteOffset, activations.byteLength)
  }
  yield {
    name: 'activations.npy',
    bytes: (async function* () {
      yield npyHeader({ descr: '<f4', fortranOrder: false, shape: [rows, features] })
      yield taken(first)
      for await (const batch of batches) yield taken(batch)
    })(),
  }
  yield { name: 'logits.npy', bytes: writeNpy(logits, [rows, classes]) }
  yield { name: 'preds.npy', bytes: writeNpy(argmax(logits, rows), [rows]) }
  yield* beside()
  const text = `${JSON.stringify(await finish(features), null, 2)}\n`
  yield { name: 'extraction.json', bytes: new TextEncoder().encode(text) }
}
