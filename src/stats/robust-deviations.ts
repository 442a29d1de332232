import { medianInPlace } from './median.js'

/** How far each of some numbers is from their median. */
export interface RobustDeviations {
  /** (value − median) / spread, parallel to the values. */
  readonly deviations: Float64Array
  /** What the spread is, an estimate of a normal distribution's standard deviation either way; `none`: all values are equal. */
  readonly spread: 'median' | 'mean' | 'none'
}

/**
 * (value − median) / (1.4826 · median absolute deviation). Where that median is 0, more than half the values being equal, the mean absolute
 * deviation times 1.2533 takes its place (Iglewicz & Hoaglin 1993); where that is 0 too, all deviations are 0.
 */
export function robustDeviations(values: ArrayLike<number>): RobustDeviations {
  const off = new Float64Array(values)
  const centre = medianInPlace(off.slice())
  for (let i = 0; i < off.length; i++) off[i] = (off[i] as number) - centre
  const median = medianInPlace(off.map(Math.abs))
  if (median > 0) return { deviations: off.map((value) => value / (1.4826 * median)), spread: 'median' }
  const mean = off.reduce((sum, value) => sum + Math.abs(value), 0) / Math.max(off.length, 1)
  if (mean > 0) return { deviations: off.map((value) => value / (1.2533 * mean)), spread: 'mean' }
  return { deviations: off, spread: 'none' }
}
