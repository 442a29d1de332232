import type { ActivationRows } from '../core/activation-rows.js'
import { readRows, rowsPerRead } from '../core/read-rows.js'

/** Euclidean norm of every row, in one pass over them. Rejects with the signal's reason. */
export async function rowNorms(rows: ActivationRows, signal?: AbortSignal): Promise<Float64Array> {
  const norms = new Float64Array(rows.rows)
  for await (const { start, rows: count, data } of readRows(rows, { rowsPerBlock: rowsPerRead(rows.cols), signal })) {
    for (let i = 0; i < count; i++) {
      let sum = 0
      for (let j = 0, at = i * rows.cols; j < rows.cols; j++, at++) sum += (data[at] as number) ** 2
      norms[start + i] = Math.sqrt(sum)
    }
  }
  return norms
}
