import type { Label } from '../core/labels.js'
import type { Relabelled } from './decide-rows.js'

/**
 * For each kept row the row whose label it gets: itself, or where it is relabelled the first row that bears the new label. So a label is always
 * copied, whatever it is written as. `labels: [n]`; the report that the decision came from fits them, so that every new label has a row.
 */
export function labelRows(labels: readonly Label[], keep: Uint32Array, relabelled: readonly Relabelled[]): Uint32Array {
  const exemplars = new Map<Label, number>()
  for (const { to } of relabelled) if (!exemplars.has(to)) exemplars.set(to, labels.indexOf(to))
  const exemplarOf = new Map(relabelled.map(({ row, to }) => [row, exemplars.get(to) as number]))
  return keep.map((row) => exemplarOf.get(row) ?? row)
}
