import type { Command } from 'commander'
import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { toJsonText } from '../report/json.js'
import type { ClassReport, ClassVerdict, Report } from '../report/schema.js'
import type { ExamineModel } from '../serialization/examine-model.js'
import type { ModelExamination, ScanFinding } from '../serialization/scan-report.js'
import { version } from '../version.js'
import { type ExitCode, verdictExitCode } from './exit-codes.js'
import { type Io, wantsColor } from './io.js'
import { checkDistinct, checkOutputFile, type OutputFile, writeOutputFiles } from './output-files.js'
import { createProgressLine } from './progress.js'
import { text } from './values.js'

interface Flags {
  readonly data?: string
  readonly json?: string
  readonly html?: string
  readonly sarif?: string
  readonly quiet?: true
}

/** Adds `assay scan` to the program. `finish` gets the exit code. */
export function addScanCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  program
    .command('scan')
    .summary('look for code, tricks and hidden reach in model files')
    .description(
      'Scans a model file, or every file of a model repository, for what it would do when it is loaded: pickles that run code, archives that write outside their folder or say two things, Keras Lambda layers, chat templates that reach into Python, files that name other files. Nothing is loaded or unpickled; what cannot be read is not called clean. Models whose weights can be read (ONNX, safetensors) are examined for a backdoor too, with the pictures of --data or without any.\n\nPATH is a file or a folder.',
    )
    .argument('<PATH>', 'model file, or folder')
    .option(
      '--data <PATH>',
      'data: activations with labels are audited (as assay audit does) and their verdict is taken in; pictures, which should be clean, are what models are tried on',
      text,
    )
    .option('--json <FILE>', 'write the report as JSON; - writes it to stdout, and nothing else there', text)
    .option('--html <FILE>', 'write the report as one HTML page for people', text)
    .option('--sarif <FILE>', 'write the findings as SARIF 2.1.0, for dashboards of code scanning', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Exit codes: 0 nothing found, 1 found (poisoned or suspicious), 2 could not be decided, 64 usage, 65 bad input data,
70 internal fault, 130 interrupted.

Example:
  $ assay scan ./my-model --html scan.html --sarif scan.sarif
  $ assay scan model.onnx --data clean-images.npz`,
    )
    .action(async (path: string, flags: Flags) => finish(await runScan(path, flags, io)))
}

async function runScan(path: string, flags: Flags, io: Io): Promise<ExitCode> {
  await checkOutputs(flags)
  const { scanPath, renderScanHtml, renderScanTerminal, toSarif } = await import('../serialization/node-index.js')
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  try {
    const data = flags.data === undefined ? null : { path: flags.data, ...(await (await import('./scan-data.js')).lookAtData(flags.data)) }
    const report = await scanPath(path, {
      signal: io.signal,
      onProgress: progress.report,
      examineModel: examinerOn(data?.hasInputs ? data.path : null),
      alsoExamined: data?.isAudit ? [await auditData(data.path, io, progress.report)] : [],
    })
    const json = flags.json === undefined ? null : toJsonText(report)
    const outputs: OutputFile[] = []
    if (flags.json !== undefined && json !== null && flags.json !== '-') outputs.push({ path: flags.json, bytes: json })
    if (flags.html !== undefined) outputs.push({ path: flags.html, bytes: renderScanHtml(report) })
    if (flags.sarif !== undefined) outputs.push({ path: flags.sarif, bytes: toJsonText(toSarif(report, { version })) })
    await writeOutputFiles(outputs)
    await progress.clear()
    if (flags.json === '-' && json !== null) await io.stdout.write(json)
    else if (!flags.quiet) {
      await io.stdout.write(renderScanTerminal(report, { color: wantsColor(io.stdout, io.env), width: io.stdout.columns ?? 80 }))
    }
    return verdictExitCode(report.verdict, 'suspicious')
  } finally {
    await progress.clear()
  }
}

/** Clean inputs that a model is tried on, at most: more tell hardly more. */
const mostInputs = 200

/** Examines models by themselves or, where there is data, on its pictures. */
function examinerOn(data: string | null): ExamineModel {
  return async (file, { signal }) => {
    const { cleanInputs, examineModel } = await import('../model/node-index.js')
    const isGraph = /\.onnx$/i.test(file.name)
    const clean = data !== null && file.path !== null && isGraph ? await cleanInputs(file.path, data, mostInputs) : null
    return examineModel(file, { signal, inputs: clean?.inputs, range: clean?.range })
  }
}

/** The audit of the data as what a scan takes in. */
async function auditData(path: string, io: Io, onProgress: ReturnType<typeof createProgressLine>['report']): Promise<ModelExamination> {
  const { auditWithScores, openAudit } = io.library
  const { report } = await auditWithScores(await openAudit(path), { signal: io.signal, onProgress })
  const { findingKinds } = await import('../serialization/finding-kinds.js')
  return examinationOf(report, path, findingKinds[idOf[report.verdict]])
}

const scoreOf: Readonly<Record<Report['verdict'], number>> = { poisoned: 1, suspicious: 0.7, inconclusive: 0.3, clean: 0 }
const idOf = { poisoned: 'data-poisoned', suspicious: 'data-suspicious', inconclusive: 'data-inconclusive', clean: 'data-audited' } as const
const byGravity: readonly ClassVerdict[] = ['poisoned', 'suspicious', 'inconclusive', 'multimodal', 'clean']

function examinationOf(
  { verdict, classes }: Report,
  path: string,
  { severity, fix }: Pick<ScanFinding, 'severity' | 'fix'>,
): ModelExamination {
  const accused = classes.filter((entry) => entry.verdict === 'poisoned' || entry.verdict === 'suspicious')
  const names = accused.slice(0, 5).map(({ name, verdict: own }) => `${showText(name)} (${own})`)
  const says = accused.length === 0 ? `the audit of the data is ${verdict}` : `the audit of the data accuses ${names.join(', ')}`
  const order = [...classes.keys()].sort((a, b) => gravity(classes[a]) - gravity(classes[b]) || a - b)
  return {
    score: scoreOf[verdict],
    target: order[0] ?? null,
    classes: classes.map(({ label, pValue }) => ({ label: Number.isSafeInteger(label) ? label : String(label), pValue })),
    findings: [{ id: idOf[verdict], severity, path: showText(path, 300), offset: null, says, fix }],
  }
}

/** The smaller, the likelier it is the target. */
function gravity(entry: ClassReport | undefined): number {
  return entry ? byGravity.indexOf(entry.verdict) + (entry.pValue ?? 1) / 2 : byGravity.length
}

/** Everything about the outputs that can be known to fail is found before the scan. */
async function checkOutputs({ json, html, sarif }: Flags): Promise<void> {
  const files = [
    { flag: '--json', path: json === '-' ? undefined : json },
    { flag: '--html', path: html },
    { flag: '--sarif', path: sarif },
  ].flatMap(({ flag, path }) => (path === undefined ? [] : [{ flag, path }]))
  for (const { flag, path } of files) {
    if (path === '-') throw new OptionError('bad-output-path', `${flag}: got -, expected a path; only --json writes to stdout`)
  }
  checkDistinct(files)
  for (const { flag, path } of files) await checkOutputFile(path, flag)
}
