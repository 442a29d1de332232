import { binomialCdf } from './binomial.js'

/** Clopper & Pearson's interval (1934) for a probability of which `hits` of `n` draws are known: it covers with at least `confidence`. */
export function binomialInterval(hits: number, n: number, confidence: number): { low: number; high: number } {
  const tail = (1 - confidence) / 2
  return {
    low: hits === 0 ? 0 : bisect((p) => 1 - binomialCdf(hits - 1, n, p) > tail),
    high: hits === n ? 1 : bisect((p) => binomialCdf(hits, n, p) < tail),
  }
}

/** Where a statement about p in 0 … 1 becomes true. */
function bisect(isTrue: (p: number) => boolean): number {
  let [low, high] = [0, 1]
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2
    if (isTrue(middle)) high = middle
    else low = middle
  }
  return (low + high) / 2
}
