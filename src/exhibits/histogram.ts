import type { HistogramView } from '../views/report-view.js'

const bins = 48

/** The scores of a class's rows, those of flagged rows apart. Null where there is no row. */
export function scoreHistogram(scores: Float32Array, members: ArrayLike<number>, isFlagged: ReadonlySet<number>): HistogramView | null {
  if (members.length === 0) return null
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  let cut = Number.POSITIVE_INFINITY
  for (let i = 0; i < members.length; i++) {
    const row = members[i] as number
    const score = scores[row] as number
    low = Math.min(low, score)
    high = Math.max(high, score)
    if (isFlagged.has(row)) cut = Math.min(cut, score)
  }
  const flagged = new Array<number>(bins).fill(0)
  const unflagged = new Array<number>(bins).fill(0)
  let unflaggedAbove = 0
  const width = (high - low) / bins || 1
  for (let i = 0; i < members.length; i++) {
    const row = members[i] as number
    const score = scores[row] as number
    const bin = Math.min(bins - 1, Math.floor((score - low) / width))
    const own = isFlagged.has(row) ? flagged : unflagged
    own[bin] = (own[bin] as number) + 1
    if (own === unflagged && score >= cut) unflaggedAbove++
  }
  return { low, high, flagged, unflagged, cut: Number.isFinite(cut) ? { score: cut, unflaggedAbove } : null }
}
