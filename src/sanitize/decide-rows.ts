import type { ActivationSet } from '../core/activation-set.js'
import type { Label } from '../core/labels.js'
import type { ClassReport, Report } from '../report/schema.js'
import type { ParsedSanitizeOptions } from './options.js'

export interface Relabelled {
  readonly row: number
  readonly from: Label
  readonly to: Label
}

/** What becomes of each row. `keep` and `drop` are ascending, and every row is in one of them. */
export interface RowDecision {
  readonly keep: Uint32Array
  readonly drop: Uint32Array
  /** Those of the kept rows that get another label, ascending. */
  readonly relabelled: readonly Relabelled[]
}

export const isAccused = ({ verdict }: Pick<ClassReport, 'verdict'>) => verdict === 'poisoned' || verdict === 'suspicious'

/** Classes that are accused, but of which no row is flagged: by flagged rows they cannot be cleaned. */
export function accusedWithoutRows(set: ActivationSet, report: Report): ClassReport[] {
  const flagged = new Set(report.rows.flagged.map((row) => set.classOf[row]))
  return report.classes.filter((entry, c) => isAccused(entry) && !flagged.has(c))
}

/** Whether the report says too little to clean the set: it is inconclusive as a whole, or accuses a class whose rows it cannot tell. */
export function isUndecided(set: ActivationSet, report: Report, { remove }: Pick<ParsedSanitizeOptions, 'remove'>): boolean {
  return report.verdict === 'inconclusive' || (remove === 'flagged' && accusedWithoutRows(set, report).length > 0)
}

/**
 * Decides by a report that fits the set. Where that `isUndecided`, every row is kept. Otherwise flagged rows go, but for those of undecided
 * classes; or all rows of accused classes do; or flagged rows of classes with a source class get its label.
 */
export function decideRows(set: ActivationSet, report: Report, options: ParsedSanitizeOptions): RowDecision {
  const { remove, relabel } = options
  const { classOf } = set
  const classAt = (row: number) => report.classes[classOf[row] as number] as ClassReport
  const goes = new Uint8Array(classOf.length)
  if (remove === 'class') for (let row = 0; row < goes.length; row++) goes[row] = isAccused(classAt(row)) ? 1 : 0
  else if (!isUndecided(set, report, options)) {
    for (const row of report.rows.flagged) goes[row] = classAt(row).verdict === 'inconclusive' ? 0 : 1
  }
  const relabelled: Relabelled[] = []
  if (relabel) {
    for (let row = 0; row < goes.length; row++) {
      const { label, sourceLabel } = classAt(row)
      if (goes[row] === 0 || sourceLabel === null) continue
      goes[row] = 0
      relabelled.push({ row, from: label, to: sourceLabel })
    }
  }
  const dropped = goes.reduce((sum, value) => sum + value, 0)
  const keep = new Uint32Array(goes.length - dropped)
  const drop = new Uint32Array(dropped)
  for (let row = 0, kept = 0; row < goes.length; row++) {
    if (goes[row] === 1) drop[row - kept] = row
    else keep[kept++] = row
  }
  return { keep, drop, relabelled }
}
