import { chiSquaredCdf, chiSquaredQuantile } from '../stats/chi-squared.js'
import { selectInPlace } from '../stats/median.js'
import { cholesky } from './cholesky.js'
import { momentsInTurns, type Rows } from './moments.js'

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

/** Multiply-adds between two yields: about a millisecond. */
const perTurn = 2 ** 20

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
  for (let round = 1; ; round++) {
    const furthest = selectInPlace(distances.slice(), kept - 1)
    const { count, mean, scatter } = yield* momentsInTurns(
      rows,
      distances.map((distance) => (distance <= furthest ? 1 : 0)),
      1,
    )
    const covariance = scatter.map((value) => value / (count * share))
    for (let j = 0; j < cols; j++) add(covariance, j * cols + j, ridge[j] as number)
    const factor = yield* cholesky(covariance, cols)
    if (round === rounds) return { mean, factor }
    distances = yield* squaredDistances(rows, mean, factor)
  }
}

/** (x − mean)ᵀ·(L·Lᵀ)⁻¹·(x − mean) of every row; four rows at a time, so that each entry of L is loaded once for four products. */
function* squaredDistances({ data, cols }: Rows, mean: Float64Array, factor: Float64Array): Generator<void, Float64Array, void> {
  const n = data.length / cols
  const distances = new Float64Array(n)
  const [a, b, c, d] = [0, 1, 2, 3].map(() => new Float64Array(cols)) as [Float64Array, Float64Array, Float64Array, Float64Array]
  const rowsPerTurn = 4 * Math.ceil(perTurn / (2 * cols * cols))
  for (let i = 0; i < n; i += 4) {
    if (i % rowsPerTurn === 0 && i > 0) yield
    // The last rows stand in for those that are missing.
    const [first, second, third, fourth] = [i, i + 1, i + 2, i + 3].map((row) => Math.min(row, n - 1) * cols) as [
      number,
      number,
      number,
      number,
    ]
    let sa = 0
    let sb = 0
    let sc = 0
    let sd = 0
    for (let j = 0; j < cols; j++) {
      const middle = mean[j] as number
      let va = (data[first + j] as number) - middle
      let vb = (data[second + j] as number) - middle
      let vc = (data[third + j] as number) - middle
      let vd = (data[fourth + j] as number) - middle
      const row = j * cols
      for (let k = 0; k < j; k++) {
        const l = factor[row + k] as number
        va -= l * (a[k] as number)
        vb -= l * (b[k] as number)
        vc -= l * (c[k] as number)
        vd -= l * (d[k] as number)
      }
      const inverse = 1 / (factor[row + j] as number)
      va *= inverse
      vb *= inverse
      vc *= inverse
      vd *= inverse
      a[j] = va
      b[j] = vb
      c[j] = vc
      d[j] = vd
      sa += va * va
      sb += vb * vb
      sc += vc * vc
      sd += vd * vd
    }
    distances[i] = sa
    if (i + 1 < n) distances[i + 1] = sb
    if (i + 2 < n) distances[i + 2] = sc
    if (i + 3 < n) distances[i + 3] = sd
  }
  return distances
}

function add(values: Float64Array, at: number, value: number): void {
  values[at] = (values[at] as number) + value
}
