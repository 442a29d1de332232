import { type ViewOptions, viewReport } from './exhibits/view-report.js'
import { renderHtml } from './report/html.js'
import type { Report } from './report/schema.js'

export { type ViewOptions, viewReport } from './exhibits/view-report.js'
export { renderHtml } from './report/html.js'
export type { ReportView } from './views/report-view.js'

/**
 * A report as one self-contained HTML page for people: the verdict in words, every class, and for those worth looking at a scatter of their
 * rows, the scores, flagged rows with their pictures or texts, and the suspected trigger. Give it `set`, what was audited, and `scores`, what
 * `auditWithScores` gave; with the report alone it shows what that says.
 *
 * Throws `InputError` `wrong-report` where the report is not of the set, and what is wrong with the set; when aborted, the signal's reason.
 */
export async function toHtml(report: Report, options: ViewOptions = {}): Promise<string> {
  return renderHtml(await viewReport(report, options))
}
