import { chiSquaredCdf } from './chi-squared.js'

/** P(X ≤ x) for X standard normal: a square of one is chi-squared with one degree of freedom. */
export function normalCdf(x: number): number {
  return (1 + Math.sign(x) * chiSquaredCdf(x * x, 1)) / 2
}
