import { logGamma } from './log-gamma.js'

/** P(T > t) for Student's t with `freedom` > 0 degrees of freedom: half the regularised incomplete beta function I_x(freedom/2, ½), x = ν/(ν + t²). */
export function studentTUpper(t: number, freedom: number): number {
  const half = incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2
  return t > 0 ? half : 1 - half
}

/** I_x(a, b) by Lentz's continued fraction (Press et al., Numerical Recipes, §6.4). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a)
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a
  let c = 1
  let d = 1 / keepAway(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / keepAway(1 + even * d)
    c = keepAway(1 + even / c)
    fraction *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / keepAway(1 + odd * d)
    c = keepAway(1 + odd / c)
    fraction *= d * c
    if (Math.abs(d * c - 1) < 1e-15) break
  }
  return front * fraction
}

function keepAway(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value
}
