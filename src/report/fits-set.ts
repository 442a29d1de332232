import type { ActivationSet } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { gatherProblems } from '../core/problems.js'
import { showText } from '../core/untrusted-text.js'
import type { Report } from './schema.js'

export const mendReport = 'give the report of an audit of this very data, or audit it anew'

/** Throws one `InputError` `wrong-report` that names everything in which a report and a set differ, but for the digest. */
export function checkReportFits(report: Report, set: ActivationSet): void {
  const { rows, cols } = set.activations
  const problems = gatherProblems()
  const expectSame = (what: string, got: number, expected: number) => {
    if (got !== expected) problems.add(wrongReport(`is of ${got} ${what}, but the set has ${expected}`, { got, expected }))
  }
  expectSame('rows', report.input.rows, rows)
  expectSame('features', report.input.features, cols)
  expectSame('classes', report.classes.length, set.classes.length)
  if (report.classes.length === set.classes.length) {
    const at = set.classes.findIndex(({ label, rows: own }, c) => {
      const told = report.classes[c]
      return told?.label !== label || told.rows !== own
    })
    if (at >= 0) {
      const shown = (entry: { readonly label: unknown; readonly rows: number } | undefined) =>
        `class ${showText(entry?.label)} with ${entry?.rows} rows`
      problems.add(wrongReport(`has ${shown(report.classes[at])} where the set has ${shown(set.classes[at])}`, {}))
    }
  }
  const outside = report.rows.flagged.find((row) => row >= rows)
  if (outside !== undefined) problems.add(wrongReport(`flags row ${outside}, but the set has the rows 0 … ${rows - 1}`, { row: outside }))
  problems.throwIfAny()
}

export function wrongReport(what: string, details: Readonly<Record<string, unknown>>): InputError {
  return new InputError('wrong-report', `report: ${what}; ${mendReport}`, details)
}
