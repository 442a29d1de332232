import { logGamma } from './log-gamma.js'

/** P(X ≤ x) for X chi-squared with `freedom` degrees: the regularised lower incomplete gamma function, by its power series. */
export function chiSquaredCdf(x: number, freedom: number): number {
  if (!(x > 0)) return 0
  const a = freedom / 2
  const half = x / 2
  // Far in the upper tail the series would only add up to 1.
  if (half > a + 40 + 12 * Math.sqrt(a)) return 1
  let term = 1
  let sum = 1
  for (let n = 1; term > sum * 1e-16; n++) {
    term *= half / (a + n)
    sum += term
  }
  return Math.min(1, sum * Math.exp(a * Math.log(half) - half - logGamma(a + 1)))
}

/** The x below which a chi-squared variable with `freedom` > 0 degrees falls with probability `p`, 0 < p < 1: bisection to 1e-12. */
export function chiSquaredQuantile(p: number, freedom: number): number {
  let low = 0
  let high = Math.max(1, freedom)
  while (chiSquaredCdf(high, freedom) < p) high *= 2
  while (high - low > 1e-12 * high) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (chiSquaredCdf(middle, freedom) < p) low = middle
    else high = middle
  }
  return high
}
