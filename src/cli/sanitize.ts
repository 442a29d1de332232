import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import { OptionError } from '../core/errors.js'
import { toLabels } from '../core/labels.js'
import type { OpenedAudit } from '../io/node-open-audit.js'
import { writeNpy } from '../io/npy-writer.js'
import { renderJson, toJsonText } from '../report/json.js'
import type { CleanedFile } from '../sanitize/node-clean-files.js'
import type { InputFiles } from '../sanitize/node-input-files.js'
import { parseSanitizeOptions } from '../sanitize/options.js'
import type { SanitizeRecord } from '../sanitize/record-schema.js'
import type { Sanitized } from '../sanitize/sanitize.js'
import { type AuditFlags, addAuditFlags, addFileFlags, auditFilesOf, auditOptionsOf, type FileFlags } from './audit-flags.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { checkNewFolder, checkOutputFile, checkOutside, type FolderFile, writeOutputFiles, writeOutputFolder } from './output-files.js'
import { createProgressLine } from './progress.js'
import { sanitizeSummary } from './sanitize-summary.js'
import { oneOf, text } from './values.js'

interface Flags extends AuditFlags, FileFlags {
  readonly out?: string
  readonly report?: string
  readonly remove?: 'flagged' | 'class'
  readonly relabel?: true
  readonly json?: string
  readonly quiet?: true
}

/** Flags that decide what an audit accuses, which a report has decided already. */
const decidingFlags = { detectors: '--detectors', set: '--set', falseAccusationRate: '--false-accusation-rate' } as const

/** Adds `assay sanitize` to the program. `finish` gets the exit code. */
export function addSanitizeCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  const command = program
    .command('sanitize')
    .summary('take out of a training set what an audit accuses')
    .description(
      'Writes a copy of a training set without the rows that an audit flags, and a record of what was removed and why. Nothing is overwritten.\n\nPATH is what assay audit takes. Where no --report is given, PATH is audited first.',
    )
    .argument('<PATH>', 'audit folder, or a file with activations')
    .option('--out <DIR>', 'folder to write: it must not exist yet, or be empty', text)
    .option('--report <FILE>', 'the report of PATH that assay audit --json wrote', text)
    .option('--remove <WHAT>', 'flagged: the flagged rows (default); class: all rows of accused classes', oneOf(['flagged', 'class']))
    .option('--relabel', 'keep flagged rows, under the label of the class they came from; where that is not known they are removed')
    .option('--json <FILE>', 'write the record as JSON; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
  addAuditFlags(command)
  addFileFlags(command)
    .addHelpText(
      'after',
      `
Beside the cleaned files DIR gets sanitize-record.json, audit-report.json, and keep.npy and drop.npy: the rows of PATH that are in it, and
those that are not. Classes that the audit could not decide are kept, and named. With --report nothing is computed: --backend, --seed and
the like have no effect then.

Exit codes: 0 written, 2 the audit is inconclusive, and nothing was written, 64 usage, 65 bad input data, or a report of other data,
69 the backend asked for is not to be had, 70 internal fault, 130 interrupted (nothing half-written is left).

Example:
  $ assay audit ./data --json report.json
  $ assay sanitize ./data --report report.json --out ./cleaned`,
    )
    .action(async (path: string, flags: Flags) => finish(await runSanitize(path, flags, io)))
}

async function runSanitize(path: string, flags: Flags, io: Io): Promise<ExitCode> {
  const { out, json, remove, relabel, report: reportPath } = flags
  if (out === undefined)
    throw new OptionError('missing-option', 'sanitize: got no --out, expected the folder to write; see assay sanitize --help')
  if (out === '-') throw new OptionError('bad-output-path', '--out: got -, expected a folder; only --json writes to stdout')
  const options = { remove, relabel, signal: io.signal }
  parseSanitizeOptions(options)
  const deciding = Object.entries(decidingFlags).flatMap(([name, flag]) => (flags[name as keyof typeof decidingFlags] ? [flag] : []))
  if (reportPath !== undefined && deciding.length > 0) {
    const message = `--report: got ${deciding.join(', ')} too, but what to accuse is decided in the report; leave one of them out`
    throw new OptionError('bad-option', message)
  }
  await checkNewFolder(out, '--out')
  if (json !== undefined && json !== '-') {
    checkOutside(json, '--json', { path: out, flag: '--out' })
    await checkOutputFile(json, '--json')
  }
  const { listInputFiles } = await import('../sanitize/node-input-files.js')
  const files = auditFilesOf(flags)
  const inputs = await listInputFiles(path, files)
  io.signal.throwIfAborted()

  const progress = createProgressLine(io.stderr, { quiet: flags.quiet ?? false })
  let done: Done
  try {
    const given = reportPath === undefined ? null : await (await import('../sanitize/node-read-report.js')).readReport(reportPath)
    const set = (await io.library.openAudit(path, files)) as OpenedAudit
    const audit = async () => {
      const { report } = await io.library.auditWithScores(set, { ...auditOptionsOf(flags), signal: io.signal, onProgress: progress.report })
      return { report, bytes: new TextEncoder().encode(renderJson(report)) }
    }
    const { report, bytes } = given ?? (await audit())
    const { sanitize } = await import('../sanitize/sanitize.js')
    const sanitized = await sanitize(set, report, options)
    io.signal.throwIfAborted()
    done =
      sanitized.record.outcome === 'undecided'
        ? notWritten(sanitized.record)
        : await write(out, { set, inputs, files, sanitized, report: bytes })
  } finally {
    await progress.clear()
  }
  const { record, written } = done
  if (json === '-') await io.stdout.write(toJsonText(record))
  else {
    if (json !== undefined) await writeOutputFiles([{ path: json, bytes: toJsonText(record) }])
    if (!flags.quiet) await io.stdout.write(sanitizeSummary(record, { out: written ? out : null, width: io.stdout.columns ?? 110 }))
  }
  return written ? exitCode.nothingFound : exitCode.undecided
}

interface Done {
  readonly record: SanitizeRecord
  readonly written: boolean
}

function notWritten(record: SanitizeRecord): Done {
  return { record, written: false }
}

interface Parts {
  readonly set: OpenedAudit
  readonly inputs: InputFiles
  readonly files: ReturnType<typeof auditFilesOf>
  readonly sanitized: Sanitized
  /** The report's JSON. */
  readonly report: Uint8Array
}

/** Writes the folder, with the record as its last file: it has the digests of the others. */
async function write(out: string, { set, inputs, files, sanitized, report }: Parts): Promise<Done> {
  const [{ cleanFiles }, { labelRows }, { rootOf }] = await Promise.all([
    import('../sanitize/node-clean-files.js'),
    import('../sanitize/label-rows.js'),
    import('../io/node-root-digest.js'),
  ])
  const { keep, drop, relabelled } = sanitized
  const choice = { rows: keep.length + drop.length, keep, labelRows: labelRows(toLabels(set.labels, 'labels'), keep, relabelled) }
  const cleaned = await cleanFiles(inputs, { choice, files, expected: (await set.origin()).files })
  const digests = new Map<string, Uint8Array>()
  const recordOf = (): SanitizeRecord => {
    const digestsOf = (names: Iterable<string>) => rootOf([...names].map((name) => ({ name, digest: digests.get(name) as Uint8Array })))
    const { digest } = digestsOf(cleaned.files.flatMap(({ name, audited }) => new Array<string>(audited).fill(name)))
    const output = { ...sanitized.record.output, digest, files: [...digestsOf(digests.keys()).files], leftOut: [...cleaned.leftOut] }
    return { ...sanitized.record, output }
  }
  const hashed = ({ name, read }: { readonly name: string; read(): AsyncIterable<Uint8Array> | Iterable<Uint8Array> }): FolderFile => ({
    name,
    bytes: hashing(read, (digest) => digests.set(name, digest)),
  })
  await writeOutputFolder(out, [
    ...cleaned.files.map(({ name, chunks }: CleanedFile) => hashed({ name, read: chunks.read })),
    hashed({ name: 'keep.npy', read: () => [writeNpy(keep, [keep.length])] }),
    hashed({ name: 'drop.npy', read: () => [writeNpy(drop, [drop.length])] }),
    hashed({ name: 'audit-report.json', read: () => [report] }),
    { name: 'sanitize-record.json', bytes: later(() => toJsonText(recordOf())) },
  ])
  return { record: recordOf(), written: true }
}

async function* hashing(read: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>, finish: (digest: Uint8Array) => void) {
  const hash = createHash('sha256')
  for await (const chunk of read()) {
    hash.update(chunk)
    yield chunk
  }
  finish(hash.digest())
}

/** Text that is made when its turn has come. */
async function* later(make: () => string) {
  yield new TextEncoder().encode(make())
}
