/**
 * Σ a[p + k]·b[q + k] over n places, in four partial sums: an addition does not wait for the one before it, so it is two to three times as fast
 * as one sum, and rounds a little less.
 */
export function innerProduct(a: Float64Array | Float32Array, p: number, b: Float64Array | Float32Array, q: number, n: number): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let k = 0
  for (; k + 3 < n; k += 4) {
    s0 += (a[p + k] as number) * (b[q + k] as number)
    s1 += (a[p + k + 1] as number) * (b[q + k + 1] as number)
    s2 += (a[p + k + 2] as number) * (b[q + k + 2] as number)
    s3 += (a[p + k + 3] as number) * (b[q + k + 3] as number)
  }
  for (; k < n; k++) s0 += (a[p + k] as number) * (b[q + k] as number)
  return s0 + s1 + (s2 + s3)
}
