import { join } from 'node:path'
import type { Command } from 'commander'
import type { AuditOptions } from '../audit-options.js'
import { OptionError } from '../core/errors.js'
import { writeNpyFloat32 } from '../io/npy.js'
import { renderJson } from '../report/json.js'
import { renderTerminal } from '../report/terminal.js'
import { type ExitCode, type FailOn, failOnLevels, verdictExitCode } from './exit-codes.js'
import { type Io, wantsColor } from './io.js'
import { checkDistinct, checkOutputFile, checkOutputFolder, makeOutputFolder, type OutputFile, writeOutputFiles } from './output-files.js'
import { createProgressLine } from './progress.js'
import { byteSize, detectorList, detectorSetting, oneOf, type Setting, settingsByDetector, share, text, wholeNumber } from './values.js'

const backends = ['auto', 'webgpu', 'cpu'] as const

interface Flags {
  readonly json?: string
  readonly scores?: string
  readonly detectorScores?: string
  readonly detectors?: readonly string[]
  readonly set?: readonly Setting[]
  readonly backend: (typeof backends)[number]
  readonly softwareAdapters?: true
  readonly threads?: number
  readonly memory?: number
  readonly seed?: number
  readonly falseAccusationRate?: number
  readonly failOn: FailOn
  readonly quiet?: true
  readonly labels?: string
  readonly predictions?: string
  readonly logits?: string
  readonly trusted?: string
  readonly trustedLabels?: string
  readonly classNames?: string
  readonly images?: string
  readonly texts?: string
  readonly labelColumn?: string
  readonly activationsColumn?: string
}

/** Adds `assay audit` to the program. `finish` gets the exit code. */
export function addAuditCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  program
    .command('audit')
    .summary('look for poisoned rows in a training set')
    .description(
      'Looks for poisoned rows in a training set, given the activations of its rows in the model and their labels.\n\nPATH is a folder with activations.npy and labels.npy, a .npz, .safetensors or Parquet file that holds both, or an activations .npy file with --labels.',
    )
    .argument('<PATH>', 'audit folder, or a file with activations')
    .option('--json <FILE>', 'write the report as JSON; - writes it to stdout, and nothing else there', text)
    .option('--scores <FILE.npy>', 'write one combined suspicion per row (float32)', text)
    .option('--detector-scores <DIR>', "write each detector's scores to DIR/<detector id>.npy", text)
    .option('--detectors <a,b>', 'detectors to run (default: all)', detectorList)
    .option('--set <ID.OPTION=VALUE>', "set a detector's option; may be repeated", detectorSetting)
    .option('--backend <NAME>', 'where to compute: auto, webgpu or cpu', oneOf(backends), 'auto')
    .option('--software-adapters', 'let WebGPU take an adapter that is only software (slow)')
    .option('--threads <N>', 'threads of the CPU path (no effect in this version, whose CPU path uses one)', wholeNumber(1, 1024))
    .option(
      '--memory <SIZE>',
      'memory that the activations may take, such as 512M or 2G; larger sets are read block by block (default: a quarter of the machine, at most 4G)',
      byteSize,
    )
    .option('--seed <N>', 'seed of all random numbers', wholeNumber(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
    .option(
      '--false-accusation-rate <A>',
      'chance that a clean set is accused, between 0 and 1 (no effect in this version, whose verdicts are not calibrated)',
      share,
    )
    .option(
      '--fail-on <VERDICT>',
      'exit 1 from this verdict upwards: poisoned, suspicious or inconclusive',
      oneOf(failOnLevels),
      'suspicious',
    )
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .option('--labels <FILE>', 'labels that lie elsewhere (.npy, CSV, JSON or JSON lines)', text)
    .option('--predictions <FILE>', "the model's predictions that lie elsewhere", text)
    .option('--logits <FILE>', 'logits that lie elsewhere', text)
    .option('--trusted <FILE>', 'activations of rows known to be clean that lie elsewhere', text)
    .option('--trusted-labels <FILE>', 'their labels', text)
    .option('--class-names <FILE>', 'names of the classes (JSON) that lie elsewhere', text)
    .option('--images <FILE>', 'pictures of the rows, for showing, that lie elsewhere (.npz, .npy, .safetensors or Parquet)', text)
    .option('--texts <FILE>', 'texts of the rows, for showing, that lie elsewhere (JSON lines, .gz or not, or .npy)', text)
    .option('--label-column <NAME>', 'column or key of the labels in CSV, JSON lines or a bundle', text)
    .option('--activations-column <NAME>', 'column or key of the activations in a bundle', text)
    .addHelpText(
      'after',
      `
Exit codes: 0 nothing found, 1 found (see --fail-on), 2 could not be decided, 64 usage, 65 bad input data,
69 the backend asked for is not to be had, 70 internal fault, 130 interrupted.

Example:
  $ assay audit ./my-audit-folder --json report.json --scores suspicion.npy`,
    )
    .action(async (path: string, flags: Flags) => finish(await runAudit(path, flags, io)))
}

async function runAudit(path: string, flags: Flags, io: Io): Promise<ExitCode> {
  await checkOutputs(flags)
  const { auditWithScores, openAudit } = io.library
  const { labels, predictions, logits, trusted, trustedLabels, classNames, images, texts, labelColumn, activationsColumn } = flags
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  const options: AuditOptions = {
    backend: flags.backend,
    softwareAdapters: flags.softwareAdapters,
    threads: flags.threads,
    memory: flags.memory,
    seed: flags.seed,
    falseAccusationRate: flags.falseAccusationRate,
    detectors: flags.detectors,
    detectorOptions: flags.set && settingsByDetector(flags.set),
    signal: io.signal,
    onProgress: progress.report,
  }
  try {
    const files = { labels, predictions, logits, trusted, trustedLabels, classNames, images, texts, labelColumn, activationsColumn }
    const set = await openAudit(path, files)
    const { report, scores, detectorScores } = await auditWithScores(set, options)

    const json = flags.json === undefined ? null : renderJson(report)
    const outputs: OutputFile[] = []
    if (flags.json !== undefined && json !== null && flags.json !== '-') outputs.push({ path: flags.json, bytes: json })
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
async function checkOutputs({ json, scores, detectorScores }: Flags): Promise<void> {
  const files = [
    { flag: '--json', path: json === '-' ? undefined : json },
    { flag: '--scores', path: scores },
  ].flatMap(({ flag, path }) => (path === undefined ? [] : [{ flag, path }]))
  for (const { flag, path } of [...files, { flag: '--detector-scores', path: detectorScores }]) {
    if (path === '-') throw new OptionError('bad-output-path', `${flag}: got -, expected a path; only --json writes to stdout`)
  }
  checkDistinct(files)
  for (const { flag, path } of files) await checkOutputFile(path, flag)
  if (detectorScores !== undefined) await checkOutputFolder(detectorScores, '--detector-scores')
}
