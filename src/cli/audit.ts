import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { AuditOptions } from '../audit-options.js'
import { OptionError } from '../core/errors.js'
import type { Witness } from '../core/witness.js'
import { isFolder } from '../io/node-file-source.js'
import { writeNpyFloat32 } from '../io/npy.js'
import { renderJson } from '../report/json.js'
import { renderTerminal } from '../report/terminal.js'
import { type AuditFlags, addAuditFlags, addFileFlags, auditFilesOf, auditOptionsOf, type FileFlags } from './audit-flags.js'
import { type ExitCode, type FailOn, failOnLevels, verdictExitCode } from './exit-codes.js'
import { addModelFlags, extractFolder, type ModelFlags, readPreprocessing } from './extract.js'
import { type Io, wantsColor } from './io.js'
import {
  checkDistinct,
  checkOutputFile,
  checkOutputFolder,
  makeOutputFolder,
  type OutputFile,
  withTemporaryFolder,
  writeOutputFiles,
} from './output-files.js'
import { createProgressLine } from './progress.js'
import { oneOf, text } from './values.js'

interface Flags extends AuditFlags, FileFlags, ModelFlags {
  readonly data?: string
  readonly json?: string
  readonly html?: string
  readonly scores?: string
  readonly detectorScores?: string
  readonly failOn: FailOn
  readonly quiet?: true
}

/** Adds `assay audit` to the program. `finish` gets the exit code. */
export function addAuditCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  const command = program
    .command('audit')
    .summary('look for poisoned rows in a training set')
    .description(
      'Looks for poisoned rows in a training set, given the activations of its rows in the model and their labels.\n\nPATH is a folder with activations.npy and labels.npy, a .npz, .safetensors or Parquet file that holds both, or an activations .npy file with --labels. Or PATH is an .onnx model, here or on the Hub, and --data the inputs it was trained on (see assay extract). Where model and pictures are at hand (a folder may have model.onnx), the model is asked about suspected classes.',
    )
    .argument('<PATH>', 'audit folder, or a file with activations')
    .option('--json <FILE>', 'write the report as JSON; - writes it to stdout, and nothing else there', text)
    .option('--html <FILE>', 'write the report as one HTML page for people: classes, rows, pictures or texts, the suspected trigger', text)
    .option('--scores <FILE.npy>', 'write one combined suspicion per row (float32)', text)
    .option('--detector-scores <DIR>', "write each detector's scores to DIR/<detector id>.npy", text)
  addAuditFlags(command)
    .option(
      '--fail-on <VERDICT>',
      'exit 1 from this verdict upwards: poisoned, suspicious or inconclusive',
      oneOf(failOnLevels),
      'suspicious',
    )
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
  addFileFlags(command)
  addModelFlags(command.option('--data <PATH>', 'where PATH is a model: its training data, as assay extract takes it', text))
    .addHelpText(
      'after',
      `
Exit codes: 0 nothing found, 1 found (see --fail-on), 2 could not be decided, 64 usage, 65 bad input data,
69 the backend asked for is not to be had, 70 internal fault, 130 interrupted.

Example:
  $ assay audit ./my-audit-folder --html report.html --json report.json`,
    )
    .action(async (path: string, flags: Flags) => finish(await runAudit(path, flags, io)))
}

async function runAudit(path: string, flags: Flags, io: Io): Promise<ExitCode> {
  await checkOutputs(flags)
  if (flags.data === undefined) {
    if (/\.onnx$|^hub:/i.test(path)) {
      throw new OptionError('missing-option', '--data: missing, expected the data that the model was trained on; add --data PATH')
    }
    return auditPath(path, flags, io, await witnessIn(path))
  }
  const { data } = flags
  return withTemporaryFolder(async (room) => {
    await extractFolder({ model: path, data, out: room, flags }, io)
    // What comes from the Hub is gone when the extraction is done.
    return auditPath(room, flags, io, /^hub:/i.test(path) ? undefined : await witnessOf(path, flags))
  })
}

/** The model of an audit folder, to be asked about suspected classes; none where the folder has none. */
async function witnessIn(path: string): Promise<Witness | undefined> {
  const model = join(path, 'model.onnx')
  const isThere =
    (await isFolder(path).catch(() => false)) &&
    (await access(model).then(
      () => true,
      () => false,
    ))
  return isThere ? witnessOf(model, {}) : undefined
}

async function witnessOf(modelPath: string, flags: Pick<ModelFlags, 'preprocess'>): Promise<Witness> {
  const { modelFileWitness } = await import('../model/node-model-witness.js')
  return modelFileWitness(modelPath, { preprocess: flags.preprocess === undefined ? undefined : await readPreprocessing(flags.preprocess) })
}

async function auditPath(path: string, flags: Flags, io: Io, witness: Witness | undefined): Promise<ExitCode> {
  const { auditWithScores, openAudit, toHtml } = io.library
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  const options: AuditOptions = { ...auditOptionsOf(flags), ...(witness && { witness }), signal: io.signal, onProgress: progress.report }
  try {
    const set = await openAudit(path, auditFilesOf(flags))
    const { report, scores, detectorScores } = await auditWithScores(set, options)

    const json = flags.json === undefined ? null : renderJson(report)
    const outputs: OutputFile[] = []
    if (flags.json !== undefined && json !== null && flags.json !== '-') outputs.push({ path: flags.json, bytes: json })
    if (flags.html !== undefined) {
      outputs.push({ path: flags.html, bytes: await toHtml(report, { set, scores, signal: io.signal }) })
    }
    if (flags.scores !== undefined) outputs.push({ path: flags.scores, bytes: writeNpyFloat32(scores, [scores.length]) })
    if (flags.detectorScores !== undefined) {
      await makeOutputFolder(flags.detectorScores)
      for (const [id, values] of detectorScores) {
        outputs.push({ path: join(flags.detectorScores, `${id}.npy`), bytes: writeNpyFloat32(values, [values.length]) })
      }
    }
    await writeOutputFiles(outputs)
    await progress.clear()

    if (flags.json === '-' && json !== null) await io.stdout.write(json)
    else if (!flags.quiet) {
      await io.stdout.write(
        renderTerminal(report, { color: wantsColor(io.stdout, io.env), width: io.stdout.columns ?? 80, texts: set.texts }),
      )
    }
    return verdictExitCode(report.verdict, flags.failOn)
  } finally {
    await progress.clear()
  }
}

/** Everything about the outputs that can be known to fail is found before the audit. */
async function checkOutputs({ json, html, scores, detectorScores }: Flags): Promise<void> {
  const files = [
    { flag: '--json', path: json === '-' ? undefined : json },
    { flag: '--html', path: html },
    { flag: '--scores', path: scores },
  ].flatMap(({ flag, path }) => (path === undefined ? [] : [{ flag, path }]))
  for (const { flag, path } of [...files, { flag: '--detector-scores', path: detectorScores }]) {
    if (path === '-') throw new OptionError('bad-output-path', `${flag}: got -, expected a path; only --json writes to stdout`)
  }
  checkDistinct(files)
  for (const { flag, path } of files) await checkOutputFile(path, flag)
  if (detectorScores !== undefined) await checkOutputFolder(detectorScores, '--detector-scores')
}
