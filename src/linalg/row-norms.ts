import type { RowBlock } from '../core/activation-rows.js'

/** Euclidean norm of every row of `count`, in one pass over them. */
export async function rowNorms(reads: AsyncIterable<RowBlock>, count: number): Promise<Float64Array> {
  const norms = new Float64Array(count)
  for await (const { start, rows, data } of reads) {
    const cols = data.length / rows
    for (let i = 0, at = 0; i < rows; i++) {
      let sum = 0
      for (let j = 0; j < cols; j++, at++) sum += (data[at] as number) ** 2
      norms[start + i] = Math.sqrt(sum)
    }
  }
  return norms
}
