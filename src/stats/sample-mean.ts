/** A mean that was estimated from rows drawn without replacement. */
export interface SampleMean {
  readonly mean: number
  /** Half the width of an interval of 95 % for the mean of all rows. */
  readonly halfWidth: number
}

const normalQuantile = 1.959964

/**
 * The mean of `of` values, of which `drawn` are known, by the standard error of a sample without replacement: s·√((1 − m/n)/m). It is
 * 0 where all are known. For a hundred values or more, bounded ones: the mean is as good as normal then.
 */
export function sampleMean(drawn: ArrayLike<number>, of: number): SampleMean {
  const m = drawn.length
  let sum = 0
  for (let i = 0; i < m; i++) sum += drawn[i] as number
  const mean = sum / m
  let squares = 0
  for (let i = 0; i < m; i++) squares += ((drawn[i] as number) - mean) ** 2
  return { mean, halfWidth: normalQuantile * Math.sqrt((squares / Math.max(m - 1, 1) / m) * Math.max(0, 1 - m / of)) }
}
