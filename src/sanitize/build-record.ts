import type { ActivationSet } from '../core/activation-set.js'
import type { Label } from '../core/labels.js'
import type { ClassReport, Report } from '../report/schema.js'
import { accusedWithoutRows, isAccused, isUndecided, type RowDecision } from './decide-rows.js'
import type { ParsedSanitizeOptions } from './options.js'
import type { SanitizeRecord } from './record-schema.js'

export interface RecordParts {
  readonly set: ActivationSet
  readonly report: Report
  readonly options: ParsedSanitizeOptions
  readonly decision: RowDecision
  readonly tool: Readonly<SanitizeRecord['tool']>
}

/** The record of a decision; nothing is written yet. Pure. */
export function buildRecord({ set, report, options, decision, tool }: RecordParts): SanitizeRecord {
  const { keep, drop, relabelled } = decision
  const given = new Map(report.rows.flagged.map((row, index) => [row, report.rows.reasons[index] as string[]]))
  const classAt = (row: number) => report.classes[set.classOf[row] as number] as ClassReport
  const reasonsOf = (row: number) => [...(given.get(row) ?? []), ...(options.remove === 'class' ? [classReason(classAt(row))] : [])]
  const countBy = (labels: Iterable<Label>) => {
    const counts = new Map<Label, number>()
    for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
    return (label: Label) => counts.get(label) ?? 0
  }
  const removed = countBy(Array.from(drop, (row) => classAt(row).label))
  const left = countBy(relabelled.map(({ from }) => from))
  const gained = countBy(relabelled.map(({ to }) => to))
  const flagged = countBy(report.rows.flagged.map((row) => classAt(row).label))
  const notTold = options.remove === 'flagged' ? accusedWithoutRows(set, report) : []
  const changed = drop.length > 0 || relabelled.length > 0
  return {
    schemaVersion: 1,
    tool: { ...tool },
    input: {
      rows: report.input.rows,
      features: report.input.features,
      digest: report.input.digest,
      files: report.input.files.map((file) => ({ ...file })),
    },
    report: { tool: { ...report.tool }, seed: report.seed, verdict: report.verdict },
    options: { remove: options.remove, relabel: options.relabel },
    outcome: isUndecided(set, report, options) ? 'undecided' : changed ? 'cleaned' : 'unchanged',
    output: { rows: keep.length, digest: null, files: [], leftOut: [] },
    classes: report.classes.map(({ label, name, verdict, rows }) => ({
      label,
      name,
      verdict,
      rowsBefore: rows,
      removed: removed(label),
      relabelled: left(label),
      gained: gained(label),
      rowsAfter: rows - removed(label) - left(label) + gained(label),
    })),
    removed: Array.from(drop, (row) => ({ row, label: classAt(row).label, reasons: reasonsOf(row) })),
    relabelled: relabelled.map(({ row, from, to }) => ({ row, from, to, reasons: reasonsOf(row) })),
    undecided: report.classes
      .filter((entry) => entry.verdict === 'inconclusive' || notTold.includes(entry))
      .map(({ label, name, verdict, rows }) => ({ label, name, verdict, rows, flagged: flagged(label) })),
  }
}

function classReason(entry: ClassReport): string {
  if (!isAccused(entry)) throw new Error('unreachable: only rows of accused classes go with their class')
  return `its class is ${entry.verdict}, and all rows of such classes are removed`
}
