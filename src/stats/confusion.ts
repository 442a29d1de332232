/** How a row was judged against the truth: the codes that activation clustering's published evaluation uses. */
export const outcome = { truePositive: 0, trueNegative: 1, falsePositive: 2, falseNegative: 3 } as const

export interface Confusion {
  /** One `outcome` code a row. */
  readonly codes: Uint8Array
  readonly truePositives: number
  readonly trueNegatives: number
  readonly falsePositives: number
  readonly falseNegatives: number
  /** Flagged share of the poisoned rows; null where there are none. */
  readonly truePositiveRate: number | null
  /** Flagged share of the clean rows; null where there are none. */
  readonly falsePositiveRate: number | null
  /** Poisoned share of the flagged rows; null where none is flagged. */
  readonly precision: number | null
}

/** Judges flags against the truth, both one entry a row, non-zero meaning yes. A rate whose denominator is 0 is null, never 0. */
export function confusion(poisoned: ArrayLike<number>, flagged: ArrayLike<number>): Confusion {
  const codes = new Uint8Array(poisoned.length)
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < codes.length; i++) {
    const code = poisoned[i]
      ? flagged[i]
        ? outcome.truePositive
        : outcome.falseNegative
      : flagged[i]
        ? outcome.falsePositive
        : outcome.trueNegative
    codes[i] = code
    counts[code] = (counts[code] as number) + 1
  }
  const [truePositives, trueNegatives, falsePositives, falseNegatives] = counts as [number, number, number, number]
  const share = (part: number, other: number) => (part + other === 0 ? null : part / (part + other))
  return {
    codes,
    truePositives,
    trueNegatives,
    falsePositives,
    falseNegatives,
    truePositiveRate: share(truePositives, falseNegatives),
    falsePositiveRate: share(falsePositives, trueNegatives),
    precision: share(truePositives, falsePositives),
  }
}
