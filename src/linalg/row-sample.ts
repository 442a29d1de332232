import type { ActivationRows } from '../core/activation-rows.js'
import { readRows, rowsPerRead } from '../core/read-rows.js'

/** Copies the rows that are wanted, `[wanted, cols]` in that order, in one pass over all. Rejects with the signal's reason. */
export async function gatherRows(rows: ActivationRows, wanted: Uint32Array, signal?: AbortSignal): Promise<Float32Array> {
  const { cols } = rows
  const out = new Float32Array(wanted.length * cols)
  const order = Uint32Array.from(wanted.keys()).sort((a, b) => (wanted[a] as number) - (wanted[b] as number))
  let next = 0
  for await (const { start, rows: count, data } of readRows(rows, { rowsPerBlock: rowsPerRead(cols), signal })) {
    for (; next < order.length; next++) {
      const to = order[next] as number
      const row = (wanted[to] as number) - start
      if (row >= count) break
      out.set(data.subarray(row * cols, (row + 1) * cols), to * cols)
    }
  }
  return out
}
