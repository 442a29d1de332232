import type { RowBlock } from '../core/activation-rows.js'
import { doubleEngine } from '../core/double-engine.js'

/** Values that are copied into WebAssembly at a time: what a second-level cache holds. */
const valuesAtOnce = 2 ** 15

/** Euclidean norm of every row of `count`, in one pass over them. Float64. */
export async function rowNorms(reads: AsyncIterable<RowBlock>, count: number): Promise<Float64Array> {
  const norms = new Float64Array(count)
  for await (const { start, rows, data } of reads) putNorms(data, data.length / rows, norms.subarray(start, start + rows))
  return norms
}

/** Of rows of `cols` numbers: one each, in order. */
export function putNorms(data: Float32Array, cols: number, norms: Float64Array): void {
  const engine = doubleEngine()
  if (!engine) {
    for (let i = 0; i < norms.length; i++) norms[i] = norm(data.subarray(i * cols, (i + 1) * cols))
    return
  }
  const atOnce = Math.max(1, Math.floor(valuesAtOnce / cols))
  for (let first = 0; first < norms.length; first += atOnce) {
    const end = Math.min(first + atOnce, norms.length)
    const [rows, to] = engine.enter(data.subarray(first * cols, end * cols), (end - first) * 8) as [number, number]
    engine.loops.rowLengths(rows, end - first, cols, to)
    norms.set(engine.view(to, end - first), first)
  }
}

/** The squares in four partial sums, as `innerProduct` has them. */
function norm(row: Float32Array): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  let j = 0
  for (; j + 3 < row.length; j += 4) {
    s0 += (row[j] as number) ** 2
    s1 += (row[j + 1] as number) ** 2
    s2 += (row[j + 2] as number) ** 2
    s3 += (row[j + 3] as number) ** 2
  }
  for (; j < row.length; j++) s0 += (row[j] as number) ** 2
  return Math.sqrt(s0 + s1 + (s2 + s3))
}
