/**
 * The tail of the log odds of clean classes: P(s or more) = `share` · exp(−(s − at) / scale). It is about three times the share that clean
 * classes of whole sets have which went through the same pipeline, at every level from 2 % to 0.2 % (docs/verdicts.md has the counts). Where they
 * give out, beyond `at`, it falls more slowly than theirs does.
 */
const share = 0.001
const at = 1.8
const scale = { below: 0.3, beyond: 0.5 }

/** Probability that a clean class shows log odds this high, 0 … 1. */
export function classPValue(logOdds: number): number {
  return Math.min(1, share * Math.exp(-(logOdds - at) / (logOdds < at ? scale.below : scale.beyond)))
}

/** The log odds from which the p-value is at most `p`. */
export function logOddsAt(p: number): number {
  return at - (p > share ? scale.below : scale.beyond) * Math.log(p / share)
}
