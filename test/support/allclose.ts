export interface Closeness {
  readonly atol: number
  readonly rtol: number
}

/**
 * Passes where |actual − expected| ≤ atol + rtol·|expected| holds for every value. Otherwise throws an Error with the worst index
 * (the one furthest past its tolerance), both values and the tolerance there. NaN is close to nothing; an infinity only to itself.
 */
export function expectAllClose(actual: ArrayLike<number>, expected: ArrayLike<number>, { atol, rtol }: Closeness): void {
  if (actual.length !== expected.length) throw new Error(`got ${actual.length} values, expected ${expected.length}`)
  let worst = -1
  let worstExcess = 0
  let failures = 0
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] as number
    const b = expected[i] as number
    if (a === b) continue
    const finite = Number.isFinite(a) && Number.isFinite(b)
    const excess = finite ? Math.abs(a - b) - (atol + rtol * Math.abs(b)) : Number.POSITIVE_INFINITY
    if (excess <= 0) continue
    failures++
    if (excess > worstExcess) {
      worst = i
      worstExcess = excess
    }
  }
  if (worst < 0) return
  const a = actual[worst] as number
  const b = expected[worst] as number
  throw new Error(
    `${failures} of ${expected.length} values are not close; worst at index ${worst}: got ${a}, expected ${b}, ` +
      `|difference| ${Math.abs(a - b)}, tolerance ${atol + rtol * Math.abs(b)} (atol ${atol} + rtol ${rtol} · |expected|)`,
  )
}
