/**
 * p-values adjusted for their number (Holm, Scandinavian Journal of Statistics 1979): comparing them with α keeps the probability that any
 * true null hypothesis is rejected at α or below, whatever their dependence. Parallel to `pValues`.
 */
export function holm(pValues: readonly number[]): number[] {
  const order = [...pValues.keys()].sort((a, b) => (pValues[a] as number) - (pValues[b] as number))
  const adjusted = pValues.slice()
  let largest = 0
  for (const [rank, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * (pValues[index] as number)))
    adjusted[index] = largest
  }
  return adjusted
}
