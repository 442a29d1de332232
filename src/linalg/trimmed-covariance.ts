import { chiSquaredCdf, chiSquaredQuantile } from '../stats/chi-squared.js'
import { selectInPlace } from '../stats/median.js'
import { cholesky } from './cholesky.js'
import { momentsInTurns, type Rows } from './moments.js'
import { solvedRows } from './triangular.js'

/** A mean and a covariance that a share of the rows had no part in. */
export interface TrimmedCovariance {
  readonly mean: Float64Array
  /** Lower triangular L with L·Lᵀ the covariance: `[cols, cols]`. */
  readonly factor: Float64Array
}

export interface TrimmedCovarianceOptions {
  /** Share of the rows that is left out, 0 … 1: those furthest from the mean. */
  readonly trim: number
  /** How often mean and covariance are taken and the rows sorted out anew. */
  readonly rounds: number
  /** `[cols]`, added to the diagonal: above 0. */
  readonly ridge: Float64Array
}

/**
 * Mean and covariance of the rows that are nearest to them (concentration steps, Rousseeuw & Van Driessen 1999), starting from `rows:
 * [n, cols]` that are uncorrelated with variance 1 as a whole. The covariance is divided by the share of it that a normal distribution
 * keeps when cut like this, so that normal rows have the one they were drawn from. Rows as far as the last one kept are kept too: equal
 * rows go the same way. About rounds · n·cols² multiply-adds, float64.
 */
export function* trimmedCovariance(
  rows: Rows,
  { trim, rounds, ridge }: TrimmedCovarianceOptions,
): Generator<void, TrimmedCovariance, void> {
  const { data, cols } = rows
  const n = data.length / cols
  const kept = Math.max(1, Math.ceil((1 - trim) * n))
  const share = trim > 0 ? chiSquaredCdf(chiSquaredQuantile(1 - trim, cols), cols + 2) / (1 - trim) : 1
  let distances: Float64Array = new Float64Array(n)
  for (let i = 0; i < n; i++) for (let j = 0, at = i * cols; j < cols; j++, at++) add(distances, i, (data[at] as number) ** 2)
  const marks = new Uint8Array(n)
  for (let round = 1; ; round++) {
    const furthest = selectInPlace(distances.slice(), kept - 1)
    for (let i = 0; i < n; i++) marks[i] = (distances[i] as number) <= furthest ? 1 : 0
    const { count, mean, scatter } = yield* momentsInTurns(rows, marks, 1)
    const covariance = scatter.map((value) => value / (count * share))
    for (let j = 0; j < cols; j++) add(covariance, j * cols + j, ridge[j] as number)
    const factor = yield* cholesky(covariance, cols)
    if (round === rounds) return { mean, factor }
    yield
    distances = yield* solvedRows(rows, { mean, factor }, null)
  }
}

function add(values: Float64Array, at: number, value: number): void {
  values[at] = (values[at] as number) + value
}
