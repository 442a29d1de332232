import type { Context } from '../../src/core/backend.js'
import { ClassedRows } from '../../src/core/classed-rows.js'

/** Rows that lie in class order already, `counts[c]` of class c, on a backend. The caller disposes them. */
export function classedRows({ backend }: Context, data: Float32Array, cols: number, counts: readonly number[]): ClassedRows {
  const starts = new Uint32Array(counts.length + 1)
  counts.forEach((count, c) => {
    starts[c + 1] = (starts[c] as number) + count
  })
  return new ClassedRows(backend, backend.upload({ data, rows: data.length / cols, cols, type: 'f32' }), starts)
}
