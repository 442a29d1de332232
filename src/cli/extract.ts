import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { fileError } from '../io/node-file-source.js'
import type { ExtractionRecord, ExtractOptions } from '../model/extraction.js'
import type { Preprocessing } from '../model/preprocess.js'
import { toJsonText } from '../report/json.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { checkNewFolder, checkOutputFile, checkOutside, withTemporaryFolder, writeOutputFiles, writeOutputFolder } from './output-files.js'
import { createProgressLine } from './progress.js'
import { oneOf, text, wholeNumber } from './values.js'

/** How a model is run on data. */
export interface ModelFlags {
  readonly tensor?: string
  readonly preprocess?: string
  readonly batch?: number
  readonly runtime?: 'auto' | 'assay' | 'onnxruntime'
}

interface Flags extends ModelFlags {
  readonly data?: string
  readonly out?: string
  readonly json?: string
  readonly quiet?: true
}

/** Adds the flags of `ModelFlags`. */
export function addModelFlags(command: Command): Command {
  return command
    .option('--tensor <NAME>', 'value of the graph to take as activations (default: what goes into the last linear layer)', text)
    .option(
      '--preprocess <JSON>',
      'how pictures are prepared: {"scale", "mean", "std"} or the fields of a preprocessor_config.json, as text or as a file (default: the one beside the model, else bytes / 255)',
      text,
    )
    .option('--batch <N>', 'rows that are run at a time (default: 64)', wholeNumber(1, 65_536))
    .option(
      '--runtime <NAME>',
      'what runs the model: assay, onnxruntime (the optional package onnxruntime-node), or auto: the first that knows all of its operations',
      oneOf(['auto', 'assay', 'onnxruntime']),
    )
}

/** Adds `assay extract` to the program. `finish` gets the exit code. */
export function addExtractCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  const command = program
    .command('extract')
    .summary('run a model on its data, for an audit folder')
    .description(
      'Runs an ONNX model on its data and writes an audit folder: penultimate activations, logits, predictions, and what the data has beside its inputs. Nothing is overwritten.',
    )
    .argument('<MODEL>', 'an .onnx file, or hub:org/name[@revision][/path]')
    .option(
      '--data <PATH>',
      'pictures in folders named for their classes, or in one folder with labels.npy or labels.csv; a folder with images.npz, images.npy, images_subset.npz, token_ids.npy or Parquet files, and labels.npy; or one such file; or hub:datasets/org/name[@revision][/path]',
      text,
    )
    .option('--out <DIR>', 'folder to write: it must not exist yet, or be empty', text)
  addModelFlags(command)
    .option('--json <FILE>', 'write the record (extraction.json) there too; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Pictures are PNG and BMP files, with the optional packages @jsquash/jpeg and @jsquash/webp also JPEG and WebP, or arrays of bytes. They are
resized and cropped only as the preprocessing says. The extraction.json in DIR has the digests of the model, the inputs and the options.

hub: is the Hugging Face Hub (or what HF_ENDPOINT names; HF_TOKEN opens what is private), by the optional package @huggingface/hub. The commit
that a revision stood for is recorded.

Exit codes: 0 written, 64 usage, 65 bad model or data, 70 internal fault, 130 interrupted (nothing half-written is left).

Example:
  $ assay extract model.onnx --data ./training-data --out ./my-audit-folder
  $ assay extract model.onnx --data ./pictures --out ./my-audit-folder --preprocess '{"size": {"height": 32, "width": 32}}'
  $ assay extract hub:org/classifier@v1.0 --data 'hub:datasets/org/pictures/data/train-*' --out ./my-audit-folder`,
    )
    .action(async (model: string, flags: Flags) => finish(await runExtract(model, flags, io)))
}

async function runExtract(model: string, flags: Flags, io: Io): Promise<ExitCode> {
  const { data, out, json } = flags
  if (data === undefined) throw new OptionError('missing-option', '--data: missing, expected the inputs of the model; add --data PATH')
  if (out === undefined) throw new OptionError('missing-option', '--out: missing, expected a folder to write; add --out DIR')
  await checkNewFolder(out, '--out')
  if (json !== undefined && json !== '-') {
    await checkOutputFile(json, '--json')
    checkOutside(json, '--json', { path: out, flag: '--out' })
  }
  const record = await extractFolder({ model, data, out, flags }, io)
  const recordText = toJsonText(record)
  if (json === '-') await io.stdout.write(recordText)
  else {
    if (json !== undefined) await writeOutputFiles([{ path: json, bytes: recordText }])
    if (!flags.quiet) await io.stdout.write(`${summary(record, out)}\n`)
  }
  return exitCode.nothingFound
}

interface Extraction {
  /** Paths, or `hub:…`. */
  readonly model: string
  readonly data: string
  readonly out: string
  readonly flags: ModelFlags & { readonly quiet?: true }
}

/** Writes an audit folder of a model and its data, and says what was done. */
export async function extractFolder({ model, data, out, flags }: Extraction, io: Io): Promise<ExtractionRecord> {
  const { extract, fetchHubModel, fetchHubData } = await import('../model/node-index.js')
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  const { tensor, batch, runtime } = flags
  const preprocess = flags.preprocess === undefined ? undefined : await readPreprocessing(flags.preprocess)
  const { signal } = io
  const hub = { endpoint: io.env.HF_ENDPOINT, token: io.env.HF_TOKEN, signal, onProgress: progress.report }
  try {
    return await inRoomOf([model, data], async (room) => {
      const fetchedModel = isOnHub(model) ? await fetchHubModel(model, join(room, 'model'), hub) : undefined
      const fetchedData = isOnHub(data) ? await fetchHubData(data, join(room, 'data'), hub) : undefined
      const options: ExtractOptions = { tensor, batch, runtime, preprocess, signal, onProgress: progress.report }
      const origins = { model: fetchedModel?.origin, data: fetchedData?.origin }
      const extraction = await extract(fetchedModel?.path ?? model, fetchedData?.path ?? data, { ...options, hub: origins })
      try {
        await writeOutputFolder(out, extraction.files)
        return extraction.record()
      } finally {
        await extraction.close()
      }
    })
  } finally {
    await progress.clear()
  }
}

const isOnHub = (path: string) => path.startsWith('hub:')

/** Room for what has to be fetched, and none where nothing has. */
function inRoomOf<T>(paths: readonly string[], use: (room: string) => Promise<T>): Promise<T> {
  return paths.some(isOnHub) ? withTemporaryFolder(use) : use('')
}

/** JSON as it is, or the path of a file with it. */
export async function readPreprocessing(given: string): Promise<Preprocessing> {
  const { parsePreprocessing } = await import('../model/preprocessor-config.js')
  const inline = given.trimStart().startsWith('{')
  let json = given
  if (!inline) {
    try {
      json = await readFile(given, 'utf8')
    } catch (error) {
      throw fileError(error, given)
    }
  }
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    throw new OptionError(
      'bad-preprocessing',
      `--preprocess: ${showText(given)} is not JSON, expected an object or the path of one`,
      {},
      cause,
    )
  }
  return parsePreprocessing(value, '--preprocess')
}

function summary({ rows, features, tensor, runtime }: ExtractionRecord, out: string): string {
  const by = runtime === 'assay' ? '' : ', run by ONNX Runtime'
  return `${rows} rows of ${features} activations (${showText(tensor)}${by}) written to ${showText(out, 300)}\nNext: assay audit ${showText(out, 300)}`
}
