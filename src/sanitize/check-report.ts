import type { ActivationSet } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { describeOptionProblems } from '../core/option-problems.js'
import { gatherProblems } from '../core/problems.js'
import { showText } from '../core/untrusted-text.js'
import { type Report, reportSchema } from '../report/schema.js'

const LISTED_PROBLEMS = 5
const mend = 'give the report of an audit of this very data, or audit it anew'

/** A value as a report. Throws `InputError` `bad-report` where it is none, or where its parts contradict each other. */
export function parseReport(value: unknown, where = 'report'): Report {
  const parsed = reportSchema.safeParse(value)
  if (!parsed.success) {
    const shown = parsed.error.issues
      .slice(0, LISTED_PROBLEMS)
      .map((issue) =>
        issue.code === 'unrecognized_keys'
          ? `${where}: has the field ${issue.keys.map((key) => showText(key)).join(', ')}, which this version does not know`
          : describeOptionProblems(where, [issue], value),
      )
    throw new InputError('bad-report', `${where}: is no report that this version reads; ${mend}\n${shown.join('\n')}`, {
      issues: parsed.error.issues,
    })
  }
  const report = parsed.data
  const worst = (['poisoned', 'suspicious'] as const).find((verdict) => report.classes.some((entry) => entry.verdict === verdict))
  const claims = report.verdict === 'poisoned' || report.verdict === 'suspicious' ? report.verdict : undefined
  if (worst !== claims) {
    const said = worst === undefined ? 'no class is accused' : `a class is ${worst}`
    throw new InputError('bad-report', `${where}: its verdict is ${report.verdict}, but ${said}; ${mend}`, { verdict: report.verdict })
  }
  const labels = new Set(report.classes.map(({ label }) => label))
  for (const { label, sourceLabel } of report.classes) {
    if (sourceLabel === null || (sourceLabel !== label && labels.has(sourceLabel))) continue
    const message = `${where}: class ${showText(label)} has the source class ${showText(sourceLabel)}, expected another class of the set; ${mend}`
    throw new InputError('bad-report', message, { label, sourceLabel })
  }
  return report
}

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
  return new InputError('wrong-report', `report: ${what}; ${mend}`, details)
}
