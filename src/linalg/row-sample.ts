import type { RowBlock } from '../core/activation-rows.js'

/** Copies the rows that are wanted, `[wanted, cols]` in that order, in one pass over all. */
export async function gatherRows(reads: AsyncIterable<RowBlock>, wanted: Uint32Array, cols: number): Promise<Float32Array> {
  const out = new Float32Array(wanted.length * cols)
  const order = Uint32Array.from(wanted.keys()).sort((a, b) => (wanted[a] as number) - (wanted[b] as number))
  let next = 0
  for await (const { start, rows, data } of reads) {
    for (; next < order.length; next++) {
      const to = order[next] as number
      const row = (wanted[to] as number) - start
      if (row >= rows) break
      out.set(data.subarray(row * cols, (row + 1) * cols), to * cols)
    }
  }
  return out
}
