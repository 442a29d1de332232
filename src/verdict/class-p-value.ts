/** The tail of the log odds of clean classes: P(more than s) = 0.001 · exp(−(s − at) / scale). */
interface NullTail {
  readonly at: number
  readonly scale: number
  /** What the log odds of the other classes of the set take off: this share of their upper level. */
  readonly level: number
}

/**
 * Fitted to clean classes that went through the same pipeline (docs/verdicts.md has the counts): drawn so as to lie above their share at every
 * level from 5 % to 0.1 %. Without trusted rows a set whose other classes look divided makes a divided class less telling.
 */
const withTrusted: NullTail = { at: 0.5, scale: 0.95, level: 0 }
const withoutTrusted: NullTail = { at: 2.6, scale: 0.95, level: 0.6 }

/** The other classes' level does not go below this. */
const leastLevel = -4
const upperShare = 0.25

export interface ClassOdds {
  readonly logOdds: number
  readonly hasTrusted: boolean
}

/** Probability that a clean class shows log odds this high, 0 … 1; `others`: those of the other classes of the set. */
export function classPValue({ logOdds, hasTrusted }: ClassOdds, others: readonly number[]): number {
  const { at, scale, level } = hasTrusted ? withTrusted : withoutTrusted
  return Math.min(1, 0.001 * Math.exp(-(logOdds - level * upperLevel(others) - at) / scale))
}

/** The log odds from which the p-value is at most `p`. */
export function logOddsAt(p: number, hasTrusted: boolean, others: readonly number[]): number {
  const { at, scale, level } = hasTrusted ? withTrusted : withoutTrusted
  return at + level * upperLevel(others) - scale * Math.log(p / 0.001)
}

/** Mean of the highest quarter. */
function upperLevel(others: readonly number[]): number {
  const highest = [...others].sort((a, b) => b - a).slice(0, Math.ceil(upperShare * others.length))
  if (highest.length === 0) return leastLevel
  return Math.max(leastLevel, highest.reduce((sum, value) => sum + value, 0) / highest.length)
}
