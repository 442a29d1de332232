import type { ActivationRows } from '../core/activation-rows.js'
import { pause } from '../core/pause.js'
import { readRows, rowsPerRead } from '../core/read-rows.js'
import { medianInPlace } from './median.js'

export interface GroupMediansOptions {
  readonly groups: number
  /** Bytes that may be taken: fewer mean more passes over the rows. */
  readonly memory: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Per-column medians of groups of rows; `groupOf: [rows]` has each row's group. A group without rows has NaN. As many columns at a time
 * as `memory` has room for, each time in one pass over the rows. Rejects with the signal's reason.
 */
export async function groupMedians(
  rows: ActivationRows,
  groupOf: ArrayLike<number>,
  options: GroupMediansOptions,
): Promise<Float64Array[]> {
  const { groups, memory, signal } = options
  const { cols } = rows
  const starts = new Uint32Array(groups + 1)
  for (let row = 0; row < rows.rows; row++) {
    const group = groupOf[row] as number
    starts[group + 1] = (starts[group + 1] as number) + 1
  }
  for (let group = 0; group < groups; group++) starts[group + 1] = (starts[group + 1] as number) + (starts[group] as number)
  const medians = Array.from({ length: groups }, () => new Float64Array(cols))
  const colsPerPass = Math.min(cols, Math.max(1, Math.floor(memory / (rows.rows * 8))))
  const columns = new Float64Array(colsPerPass * rows.rows)
  for (let first = 0; first < cols; first += colsPerPass) {
    const width = Math.min(colsPerPass, cols - first)
    const next = starts.slice(0, -1)
    for await (const { start, rows: count, data } of readRows(rows, { rowsPerBlock: rowsPerRead(cols), signal })) {
      for (let i = 0; i < count; i++) {
        const group = groupOf[start + i] as number
        const at = next[group] as number
        next[group] = at + 1
        for (let j = 0; j < width; j++) columns[j * rows.rows + at] = data[i * cols + first + j] as number
      }
    }
    for (let j = 0; j < width; j++) {
      const column = columns.subarray(j * rows.rows, (j + 1) * rows.rows)
      medians.forEach((own, group) => {
        own[first + j] = medianInPlace(column.subarray(starts[group], starts[group + 1]))
      })
      await pause()
      signal?.throwIfAborted()
    }
  }
  return medians
}
