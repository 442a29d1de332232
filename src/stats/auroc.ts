/**
 * Area under the ROC curve: the probability that a positive row scores higher than a negative one, ties counting one half (Mann–Whitney U
 * over the product of the counts). `positive[i]` non-zero marks the positives. null where either kind is missing.
 */
export function auroc(scores: ArrayLike<number>, positive: ArrayLike<number>): number | null {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => (scores[a] as number) - (scores[b] as number))
  let positives = 0
  let rankSum = 0
  for (let start = 0; start < order.length; ) {
    let end = start + 1
    const score = scores[order[start] as number] as number
    while (end < order.length && scores[order[end] as number] === score) end++
    let tied = 0
    for (let i = start; i < end; i++) if (positive[order[i] as number]) tied++
    positives += tied
    rankSum += tied * ((start + 1 + end) / 2)
    start = end
  }
  const negatives = order.length - positives
  return positives === 0 || negatives === 0 ? null : (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives)
}
