/** The least and the greatest value of a pixel, for each channel of a picture (one pair for inputs that are no pictures). */
export interface PixelRange {
  readonly low: readonly number[]
  readonly high: readonly number[]
}

export const unitRange: PixelRange = { low: [0], high: [1] }

/** Bounds for every number of one input of `shape`; a range of one channel holds for all. */
export function boundsOf(shape: readonly number[], range: PixelRange): { low: Float32Array; high: Float32Array } {
  const length = shape.reduce((product, size) => product * size, 1)
  const channels = shape.length === 3 ? (shape[0] as number) : 1
  const perChannel = length / channels
  const fill = (values: readonly number[]) =>
    Float32Array.from({ length }, (_, index) => values[Math.floor(index / perChannel)] ?? (values[0] as number))
  return { low: fill(range.low), high: fill(range.high) }
}
