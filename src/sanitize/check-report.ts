import { InputError } from '../core/errors.js'
import { describeOptionProblems } from '../core/option-problems.js'
import { showText } from '../core/untrusted-text.js'
import { mendReport as mend } from '../report/fits-set.js'
import { type Report, reportSchema } from '../report/schema.js'

const LISTED_PROBLEMS = 5

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
