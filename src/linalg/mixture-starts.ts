import { selectInPlace } from '../stats/median.js'
import { choleskyOf } from './cholesky.js'
import { innerProduct } from './inner-product.js'
import { momentsInTurns, type Rows } from './moments.js'
import { projections } from './projections.js'
import { symmetricEigen } from './symmetric-eigen.js'
import { solvedRows } from './triangular.js'

const trimmings = 5
const keptShare = 0.85
const seedRows = 8

/**
 * Deterministic starts for a two-component mixture in `rows: [n, q]`, whose columns come in falling order of interest and whose reference
 * covariance is the identity; each start marks the rows of one component with 1. None depends on the order of the rows. They are:
 *
 * - the highest and lowest tenth along each of the first ten columns, and the sign split of the first three;
 * - the highest and lowest twentieth along the five leading directions of what a trimmed covariance (85 % kept, five rounds) leaves when it
 *   is whitened away: the idea of QUE scores (Dong, Hopkins & Li, NeurIPS 2019);
 * - the 3 % of the rows that lie furthest towards each of eight far rows in directions as different as can be.
 */
export function* mixtureStarts(rows: Rows): Generator<void, Uint8Array[], void> {
  const { data, cols } = rows
  const n = data.length / cols
  const starts: Uint8Array[] = []
  for (let j = 0; j < Math.min(cols, 10); j++) {
    const values = column(data, cols, j)
    starts.push(above(values, quantile(values, 0.9)), below(values, quantile(values, 0.1)))
    if (j < 3) starts.push(above(values, values.reduce((sum, value) => sum + value, 0) / n))
    yield
  }
  const { white, distances } = yield* trimmedWhitening(rows)
  const { vectors } = symmetricEigen((yield* momentsInTurns({ data: white, cols }, new Uint8Array(n), 0)).scatter, cols)
  yield
  for (let k = 0; k < Math.min(5, cols); k++) {
    const direction = vectors.subarray(k * cols, (k + 1) * cols)
    const values = projections({ data: white, cols }, direction)
    starts.push(above(values, quantile(values, 0.95)), below(values, quantile(values, 0.05)))
    yield
  }
  const tail = Math.max(5, Math.floor(0.03 * n))
  for (const seed of yield* farRows(white, cols, distances)) {
    const values = projections({ data: white, cols }, white.subarray(seed * cols, (seed + 1) * cols))
    starts.push(above(values, selectInPlace(values.slice(), Math.max(0, n - 1 - tail))))
    yield
  }
  return starts
}

/** The rows, centred and whitened by a covariance that is shrunk to the identity by q rows and trimmed of the rows furthest out. */
function* trimmedWhitening(rows: Rows): Generator<void, { readonly white: Float64Array; readonly distances: Float64Array }, void> {
  const { data, cols } = rows
  const n = data.length / cols
  let kept: Uint8Array = new Uint8Array(n).fill(1)
  const white = new Float64Array(data.length)
  let distances: Float64Array = new Float64Array(n)
  for (let round = 0; round < trimmings; round++) {
    const { count, mean, scatter } = yield* momentsInTurns(rows, kept, 1)
    yield
    const covariance = scatter.map((value, at) => (value + (at % (cols + 1) === 0 ? cols : 0)) / (count + cols))
    const factor = choleskyOf(covariance, cols)
    distances = yield* solvedRows(rows, { mean, factor }, { data: white, stride: cols })
    yield
    kept = below(distances, quantile(distances, keptShare))
  }
  return { white, distances }
}

/** Far rows in different directions: the furthest, then again and again the one, of the furthest tenth, least in line with those so far. */
function* farRows(white: Float64Array, cols: number, distances: Float64Array): Generator<void, number[], void> {
  const n = distances.length
  const byDistance = Uint32Array.from({ length: n }, (_, i) => i).sort(
    (a, b) => (distances[b] as number) - (distances[a] as number) || a - b,
  )
  const far = byDistance.subarray(0, Math.max(4 * seedRows, Math.floor(n / 10)))
  const seeds = [far[0] as number]
  const inLine = new Float64Array(far.length).fill(Number.NEGATIVE_INFINITY)
  while (seeds.length < Math.min(seedRows, far.length)) {
    const last = seeds[seeds.length - 1] as number
    const direction = white.subarray(last * cols, (last + 1) * cols)
    let next = 0
    far.forEach((row, i) => {
      let cosine = innerProduct(white, row * cols, direction, 0, cols)
      cosine /= Math.sqrt((distances[row] as number) * (distances[last] as number)) + 1e-12
      inLine[i] = Math.max(inLine[i] as number, cosine)
      if ((inLine[i] as number) < (inLine[next] as number)) next = i
    })
    seeds.push(far[next] as number)
    yield
  }
  return seeds
}

function column(data: Float64Array, cols: number, j: number): Float64Array {
  const values = new Float64Array(data.length / cols)
  for (let i = 0, at = j; i < values.length; i++, at += cols) values[i] = data[at] as number
  return values
}

function above(values: Float64Array, limit: number): Uint8Array {
  const marks = new Uint8Array(values.length)
  for (let i = 0; i < marks.length; i++) if ((values[i] as number) > limit) marks[i] = 1
  return marks
}

function below(values: Float64Array, limit: number): Uint8Array {
  const marks = new Uint8Array(values.length)
  for (let i = 0; i < marks.length; i++) if ((values[i] as number) < limit) marks[i] = 1
  return marks
}

/** The quantile with linear interpolation between neighbours. */
function quantile(values: Float64Array, p: number): number {
  const ordered = values.slice()
  const at = p * (ordered.length - 1)
  const lower = Math.floor(at)
  const low = selectInPlace(ordered, lower)
  let high = Number.POSITIVE_INFINITY
  for (let i = lower + 1; i < ordered.length; i++) high = Math.min(high, ordered[i] as number)
  return at > lower ? low + (at - lower) * (high - low) : low
}
