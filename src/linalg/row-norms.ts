import type { RowBlock } from '../core/activation-rows.js'
import { doubleEngine } from '../core/double-engine.js'
import { innerProduct } from './inner-product.js'

/** Values that are copied into WebAssembly at a time: what a second-level cache holds. */
const valuesAtOnce = 2 ** 15

/** Euclidean norms of `count` rows, in one pass over them, or of some: of row i, whose place among them is placeOf[i], −1 where it is none of them. Float64. */
export async function rowNorms(reads: AsyncIterable<RowBlock>, count: number, placeOf?: Int32Array): Promise<Float64Array> {
  const norms = new Float64Array(count)
  for await (const { start, rows, data } of reads) {
    const cols = data.length / rows
    if (!placeOf) putNorms(data, cols, norms.subarray(start, start + rows))
    else
      for (let i = 0, at = 0; i < rows; i++, at += cols) {
        const place = placeOf[start + i] as number
        if (place >= 0) norms[place] = Math.sqrt(innerProduct(data, at, data, at, cols))
      }
  }
  return norms
}

/** Of rows of `cols` numbers: one each, in order. */
export function putNorms(data: Float32Array, cols: number, norms: Float64Array): void {
  const engine = doubleEngine()
  if (!engine) {
    for (let i = 0; i < norms.length; i++) norms[i] = Math.sqrt(innerProduct(data, i * cols, data, i * cols, cols))
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
