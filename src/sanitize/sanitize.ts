import { type ActivationSet, type ActivationSetInput, toActivationSet } from '../core/activation-set.js'
import { hashedSet } from '../core/digest.js'
import { InputError } from '../core/errors.js'
import { readRows, rowsPerRead } from '../core/read-rows.js'
import { checkReportFits, wrongReport } from '../report/fits-set.js'
import type { Report } from '../report/schema.js'
import { version } from '../version.js'
import { buildRecord } from './build-record.js'
import { parseReport } from './check-report.js'
import { cleanInput } from './clean-input.js'
import { decideRows, type RowDecision } from './decide-rows.js'
import { parseSanitizeOptions, type SanitizeOptions } from './options.js'
import type { SanitizeRecord } from './record-schema.js'

export interface Sanitized extends RowDecision {
  /**
   * The rows of `keep`, in arrays of the input's own element types; the input itself where nothing was to be changed, and activations in row
   * blocks where they came so.
   */
  readonly set: ActivationSetInput
  readonly record: SanitizeRecord
}

/**
 * Takes out of a set what a report of it accuses: the flagged rows, or all rows of accused classes; or gives flagged rows the label of the
 * class that they came from. Undecided classes are kept as they are and listed in the record. A report that is `inconclusive` as a whole, or
 * that accuses a class without flagging a row of it where flagged rows are to go, changes nothing: `record.outcome` is `undecided`.
 *
 * The set has to be the very one that was audited: its digest is taken, which reads it once. Nothing that was passed in is changed.
 * Throws `InputError` (`bad-report`, `wrong-report`, `nothing-left`, and what is wrong with the set), `OptionError`, and when aborted, the
 * signal's reason.
 */
export async function sanitize(input: ActivationSetInput, report: Report, options: SanitizeOptions = {}): Promise<Sanitized> {
  const parsed = parseSanitizeOptions(options)
  const checked = parseReport(report)
  parsed.signal?.throwIfAborted()
  const set = toActivationSet(input)
  checkReportFits(checked, set)
  await checkDigest(checked, set, parsed.signal)
  const decision = decideRows(set, checked, parsed)
  if (decision.keep.length === 0) {
    const message = 'sanitize: every row would be removed, expected some to be left; this set cannot be cleaned, take another one'
    throw new InputError('nothing-left', message, { rows: decision.drop.length })
  }
  const record = buildRecord({ set, report: checked, options: parsed, decision, tool: { name: 'assay', version } })
  return { ...decision, set: cleanInput(input, decision), record }
}

/** A report of files is held against their digest, one of arrays against that of the arrays, also where they came from files. */
async function checkDigest(report: Report, set: ActivationSet, signal: AbortSignal | undefined): Promise<void> {
  const { digest: expected, files } = report.input
  const got = files.length > 0 ? await digestOfFiles(set) : await digestOfArrays(set, signal)
  signal?.throwIfAborted()
  if (got !== expected)
    throw wrongReport(`is of other data: its digest is ${short(expected)}, but the set's is ${short(got)}`, { got, expected })
}

async function digestOfFiles({ origin }: ActivationSet): Promise<string> {
  const known = typeof origin === 'function' ? await origin() : origin
  if (known) return known.digest
  throw wrongReport('is of files, but the set is of arrays whose files are not known; open them with openAudit', {})
}

async function digestOfArrays(set: ActivationSet, signal: AbortSignal | undefined): Promise<string> {
  const hashed = hashedSet(set)
  const { activations } = hashed.set
  if (!activations.inMemory) for await (const _ of readRows(activations, { rowsPerBlock: rowsPerRead(activations.cols), signal }));
  return hashed.digest()
}

/** Digests in a report can be any text. */
const short = (digest: string) => `${digest.replace(/[^0-9a-f]/gi, '?').slice(0, 16)}…`
