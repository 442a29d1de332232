import type { RowBlock } from '../core/activation-rows.js'

/** Euclidean norm of every row of `count`, in one pass over them. */
export async function rowNorms(reads: AsyncIterable<RowBlock>, count: number): Promise<Float64Array> {
  const norms = new Float64Array(count)
  for await (const { start, rows, data } of reads) {
    const cols = data.length / rows
    for (let i = 0, at = 0; i < rows; i++) {
      // Apart, so that none waits for the one before.
      let [s0, s1, s2, s3] = [0, 0, 0, 0]
      const end = at + cols
      for (; at + 3 < end; at += 4) {
        s0 += (data[at] as number) ** 2
        s1 += (data[at + 1] as number) ** 2
        s2 += (data[at + 2] as number) ** 2
        s3 += (data[at + 3] as number) ** 2
      }
      for (; at < end; at++) s0 += (data[at] as number) ** 2
      norms[start + i] = Math.sqrt(s0 + s1 + (s2 + s3))
    }
  }
  return norms
}
