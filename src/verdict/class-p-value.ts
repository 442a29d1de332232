/**
 * The tail of the log odds of clean classes: P(s or more) = `share` · exp(−(s − at) / scale). Fitted to clean classes that went through the same
 * pipeline (docs/verdicts.md has the counts): drawn so as to lie above their share at every level from 2 % to 0.1 %, and to fall more slowly
 * than theirs does beyond.
 */
const share = 0.001
const at = 1.55
const scale = 0.5

/** Probability that a clean class shows log odds this high, 0 … 1. */
export function classPValue(logOdds: number): number {
  return Math.min(1, share * Math.exp(-(logOdds - at) / scale))
}

/** The log odds from which the p-value is at most `p`. */
export function logOddsAt(p: number): number {
  return at - scale * Math.log(p / share)
}
