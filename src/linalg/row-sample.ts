import type { ActivationRows } from '../core/activation-rows.js'
import { readRows, rowsPerRead } from '../core/read-rows.js'
import type { Rng } from '../core/rng.js'

/** `count` of `from`, in the order in which they are drawn; all of them, as they are, where there are no more. Without replacement. */
export function drawSome(from: ArrayLike<number>, count: number, rng: Rng): Uint32Array {
  const pool = Uint32Array.from(from)
  if (count >= pool.length) return pool
  for (let i = 0; i < count; i++) {
    const j = i + rng.below(pool.length - i)
    const kept = pool[i] as number
    pool[i] = pool[j] as number
    pool[j] = kept
  }
  return pool.slice(0, count)
}

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
