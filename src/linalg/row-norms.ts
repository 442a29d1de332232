import type { RowBlock } from '../core/activation-rows.js'
import { innerProduct } from './inner-product.js'

/** Euclidean norms of `count` rows, in one pass: of row i it becomes number placeOf[i], −1 where it is none of them. Float64. */
export async function rowNorms(reads: AsyncIterable<RowBlock>, count: number, placeOf: Int32Array): Promise<Float64Array> {
  const norms = new Float64Array(count)
  for await (const { start, rows, data } of reads) {
    const cols = data.length / rows
    for (let i = 0, at = 0; i < rows; i++, at += cols) {
      const place = placeOf[start + i] as number
      if (place >= 0) norms[place] = Math.sqrt(innerProduct(data, at, data, at, cols))
    }
  }
  return norms
}
