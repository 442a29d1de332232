import type { Command } from 'commander'
import { OptionError } from '../core/errors.js'
import { toJsonText } from '../report/json.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { checkOutputFile, writeOutputFiles } from './output-files.js'
import { createProgressLine } from './progress.js'
import { detectorList, detectorSetting, oneOf, type Setting, settingsByDetector, text, wholeNumber } from './values.js'

const backends = ['auto', 'webgpu', 'cpu'] as const

interface Flags {
  readonly json?: string
  readonly detectors?: readonly string[]
  readonly set?: readonly Setting[]
  readonly backend: (typeof backends)[number]
  readonly softwareAdapters?: true
  readonly seed?: number
  readonly quiet?: true
}

/** Adds `assay bench` to the program. `finish` gets the exit code. */
export function addBenchCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  program
    .command('bench')
    .summary('measure the detectors on data whose poison is known')
    .description(
      'Measures the detectors on data whose poison is known: area under the ROC curve, rates at their own cut, and the classes they accuse; and what a whole audit concludes, with the trusted rows and without: verdicts, share of poison, source class, and what sanitize would leave.\n\nFOLDER is an audit folder with truth/poison_mask.npy (and truth/truth.json for the target class), or a folder of such folders; results.json in it, where there is one, holds reference results to stand beside.',
    )
    .argument('[FOLDER]', 'audit folder with a truth/, or a folder of those')
    .option('--json <FILE>', 'write the figures as JSON; - writes them to stdout, and nothing else there', text)
    .option('--detectors <a,b>', 'detectors to run (default: all)', detectorList)
    .option(
      '--set <ID.OPTION=VALUE>',
      "set a detector's option, in place of what the bench would tell it; may be repeated",
      detectorSetting,
    )
    .option('--backend <NAME>', 'where to compute: auto, webgpu or cpu', oneOf(backends), 'auto')
    .option('--software-adapters', 'let WebGPU take an adapter that is only software (slow)')
    .option('--seed <N>', 'seed of all random numbers', wholeNumber(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText(
      'after',
      `
Exit codes: 0 measured, 64 usage, 65 bad input data or none with a truth/, 69 the backend asked for is not to be had,
70 internal fault, 130 interrupted.

Example:
  $ assay bench examples/data --json figures.json`,
    )
    .action(async (folder: string | undefined, flags: Flags) => finish(await runBenchCommand(folder, flags, io)))
}

async function runBenchCommand(folder: string | undefined, flags: Flags, io: Io): Promise<ExitCode> {
  if (folder === undefined || folder === '') {
    throw new OptionError(
      'missing-folder',
      "bench: got no FOLDER, expected an audit folder with a truth/ or a folder of those; Assay's repository has one: assay bench examples/data",
    )
  }
  if (flags.json !== undefined && flags.json !== '-') await checkOutputFile(flags.json, '--json')
  const [{ runBench }, { formatBench }, { createContext }] = await Promise.all([
    import('../bench/run-bench.js'),
    import('../bench/table.js'),
    import('../node.js'),
  ])
  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  try {
    const report = await runBench(createContext, folder, {
      backend: flags.backend,
      softwareAdapters: flags.softwareAdapters,
      seed: flags.seed,
      detectors: flags.detectors,
      settings: flags.set && settingsByDetector(flags.set),
      signal: io.signal,
      onProgress: progress.report,
    })
    const json = flags.json === undefined ? null : toJsonText(report)
    if (flags.json !== undefined && json !== null && flags.json !== '-') await writeOutputFiles([{ path: flags.json, bytes: json }])
    await progress.clear()
    if (flags.json === '-' && json !== null) await io.stdout.write(json)
    // Not a terminal: a file or a pipe has room for all columns.
    else if (!flags.quiet) await io.stdout.write(formatBench(report, { width: io.stdout.columns ?? 120 }))
    return exitCode.nothingFound
  } finally {
    await progress.clear()
  }
}
