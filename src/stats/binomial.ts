import { logGamma } from './log-gamma.js'

/** ln P(X = k) for X binomial: `n` draws of probability `p`; −∞ where it cannot be. */
export function logBinomial(k: number, n: number, p: number): number {
  if (k < 0 || k > n) return Number.NEGATIVE_INFINITY
  const hits = k === 0 ? 0 : k * Math.log(p)
  const misses = k === n ? 0 : (n - k) * Math.log1p(-p)
  return logChoose(n, k) + hits + misses
}

/** ln P(X = k) for X beta-binomial: `n` draws of a probability that is itself drawn from Beta(a, b), a, b > 0. */
export function logBetaBinomial(k: number, n: number, a: number, b: number): number {
  if (k < 0 || k > n) return Number.NEGATIVE_INFINITY
  return logChoose(n, k) + logBeta(k + a, n - k + b) - logBeta(a, b)
}

/** What is less than this share of a sum adds nothing to it. */
const negligible = 1e-18

/** P(X ≤ k) for X binomial: `n` draws of probability `p`. From the likeliest k on in both directions as far as anything is added: some √n terms, each from the one before. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0
  if (k >= n || p <= 0) return 1
  if (p >= 1) return 0
  const odds = p / (1 - p)
  const first = Math.min(k, Math.floor((n + 1) * p))
  const likeliest = Math.exp(logBinomial(first, n, p))
  let sum = likeliest
  for (let i = first, term = likeliest; i > 0 && term > negligible * sum; i--) {
    term *= i / ((n - i + 1) * odds)
    sum += term
  }
  for (let i = first + 1, term = likeliest; i <= k && term > negligible * sum; i++) {
    term *= ((n - i + 1) * odds) / i
    sum += term
  }
  return Math.min(1, sum)
}

const logChoose = (n: number, k: number) => logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1)
const logBeta = (a: number, b: number) => logGamma(a) + logGamma(b) - logGamma(a + b)
