import type { ReportView, ScatterView } from './report-view.js'
import { classTitle } from './report-words.js'

/** What the drawn parts of a report need beside its markup. */
export interface DrawnParts {
  /** By index into the report's classes. */
  readonly scatters: Readonly<Record<string, ScatterView>>
  /** The names of all classes, as they may be shown. */
  readonly classNames: readonly string[]
}

export function drawnParts({ report, classes }: ReportView): DrawnParts {
  return {
    scatters: Object.fromEntries(classes.flatMap(({ index, scatter }) => (scatter ? [[String(index), scatter]] : []))),
    classNames: report.classes.map((entry) => classTitle(entry, 24)),
  }
}
