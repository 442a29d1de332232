/**
 * The largest share of the positive rows that a threshold on the score can catch while at most `maxFpr` of the negative rows lie at or
 * above it. Rows with equal scores are caught together or not at all, and catching none is always possible: in [0, 1].
 * `positive[i]` non-zero marks the positives. null where either kind is missing.
 */
export function tprAtFpr(scores: ArrayLike<number>, positive: ArrayLike<number>, maxFpr: number): number | null {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => (scores[b] as number) - (scores[a] as number))
  let positives = 0
  for (let i = 0; i < order.length; i++) if (positive[i]) positives++
  const negatives = order.length - positives
  if (positives === 0 || negatives === 0) return null
  let caught = 0
  let truePositives = 0
  let falsePositives = 0
  for (let start = 0; start < order.length; ) {
    const score = scores[order[start] as number] as number
    let end = start
    for (; end < order.length && scores[order[end] as number] === score; end++) {
      if (positive[order[end] as number]) truePositives++
      else falsePositives++
    }
    // A quotient is rounded once, so that 29 of 2,900 are 1 %; 0.01 · 2,900 comes out below 29.
    if (falsePositives / negatives > maxFpr) break
    caught = truePositives
    start = end
  }
  return caught / positives
}
