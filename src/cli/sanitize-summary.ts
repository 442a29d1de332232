import { showText } from '../core/untrusted-text.js'
import { wrapText } from '../report/text-layout.js'
import type { SanitizeRecord } from '../sanitize/record-schema.js'

const LISTED_CLASSES = 8
const LISTED_NAMES = 20

/** What was done, for people. `out` is where it was written; null: nowhere. Names in the record may be an attacker's. */
export function sanitizeSummary(record: SanitizeRecord, { out, width }: { readonly out: string | null; readonly width: number }): string {
  const { outcome, report, output, input, undecided } = record
  const lines: string[] = []
  if (outcome === 'undecided') {
    const why =
      report.verdict === 'inconclusive'
        ? 'The audit accuses no class, and could not clear the set, so there is no telling what to remove.'
        : withoutRows(record)
    lines.push(`INCONCLUSIVE: nothing was written. ${why}`)
  } else if (outcome === 'unchanged') {
    lines.push(`UNCHANGED: the audit is ${report.verdict} and flags no row, so all ${number(input.rows)} rows were written as they are.`)
  } else lines.push(...changes(record))
  if (undecided.length > 0) {
    const rows = undecided.reduce((sum, entry) => sum + entry.rows, 0)
    const flagged = undecided.reduce((sum, entry) => sum + entry.flagged, 0)
    const them = flagged > 0 ? `, ${number(flagged)} of them flagged` : ''
    const what = out === null ? 'Not decided' : 'Not decided, and kept as they are, which does not prove them clean'
    lines.push(`${what}: ${classes(undecided.length)} (${amount(rows, 'row')}${them}): ${list(undecided.map(title))}`)
  }
  if (out !== null) {
    lines.push(`Written to ${showText(out, 200)}: ${list([...output.files.map(({ name }) => showText(name)), 'sanitize-record.json'])}`)
    for (const reason of new Set(output.leftOut.map((entry) => entry.reason))) {
      const names = output.leftOut.filter((entry) => entry.reason === reason).map(({ name }) => showText(name))
      lines.push(`Left out (${reason}): ${list(names)}`)
    }
    if (outcome === 'cleaned') {
      lines.push(
        'The activations are still those of the model that saw the data as it was: train a new one on these rows, and audit again.',
      )
    }
  } else lines.push('What can settle it: see docs/verdicts.md.')
  return `${lines.flatMap((line) => wrapText(line, Math.max(40, Math.min(width, 110)))).join('\n')}\n`
}

function withoutRows({ report, undecided }: SanitizeRecord): string {
  const accused = undecided.filter(({ verdict }) => verdict !== 'inconclusive').map(title)
  return `The audit is ${report.verdict}, but flags no row of class ${list(accused)}; --remove class takes out such classes as a whole.`
}

function changes({ input, output, options, removed, relabelled, classes: all }: SanitizeRecord): string[] {
  const parts = [
    ...(removed.length > 0 || relabelled.length === 0 ? [`${number(removed.length)} of ${amount(input.rows, 'row')} removed`] : []),
    ...(relabelled.length > 0 ? [`${amount(relabelled.length, 'row')} relabelled`] : []),
  ]
  const lines = [`CLEANED: ${parts.join(', ')}; ${number(output.rows)} rows are left.`]
  const changed = all.filter((entry) => entry.removed > 0 || entry.relabelled > 0)
  for (const entry of changed.slice(0, LISTED_CLASSES)) {
    const said = [
      ...(entry.removed > 0 ? [`${number(entry.removed)} removed`] : []),
      ...(entry.relabelled > 0 ? [`${number(entry.relabelled)} relabelled`] : []),
    ]
    const why = options.relabel && entry.removed > 0 ? ', as their source class is not known' : ''
    lines.push(`- class ${title(entry)}, ${entry.verdict}: of ${amount(entry.rowsBefore, 'row')} ${said.join(', ')}${why}`)
  }
  if (changed.length > LISTED_CLASSES)
    lines.push(`- and ${number(changed.length - LISTED_CLASSES)} more classes; the record lists them all`)
  return lines
}

function title({ label, name }: { readonly label: number | string; readonly name: string }): string {
  const shown = showText(label, 40)
  return name === String(label) ? shown : `${shown} (${showText(name, 40)})`
}

function list(names: readonly string[]): string {
  const more = names.length - LISTED_NAMES
  return more > 0 ? `${names.slice(0, LISTED_NAMES).join(', ')} and ${number(more)} more` : names.join(', ')
}

const number = (value: number) => value.toLocaleString('en-US')
const amount = (value: number, noun: string) => `${number(value)} ${value === 1 ? noun : `${noun}s`}`
const classes = (count: number) => (count === 1 ? '1 class' : `${number(count)} classes`)
