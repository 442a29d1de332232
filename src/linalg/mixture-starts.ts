import { selectInPlace } from '../stats/median.js'
import { choleskyOf, solveLower } from './cholesky.js'
import { innerProduct } from './inner-product.js'
import { momentsInTurns, type Rows } from './moments.js'
import { symmetricEigen } from './symmetric-eigen.js'

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
  const white = yield* trimmedWhitening(rows)
  const { vectors } = symmetricEigen((yield* momentsInTurns({ data: white, cols }, new Uint8Array(n), 0)).scatter, cols)
  yield
  for (let k = 0; k < Math.min(5, cols); k++) {
    const direction = vectors.subarray(k * cols, (k + 1) * cols)
    const values = along(white, direction)
    starts.push(above(values, quantile(values, 0.95)), below(values, quantile(values, 0.05)))
    yield
  }
  const tail = Math.max(5, Math.floor(0.03 * n))
  for (const seed of yield* farRows(white, cols)) {
    const values = along(white, white.subarray(seed * cols, (seed + 1) * cols))
    starts.push(above(values, selectInPlace(values.slice(), Math.max(0, n - 1 - tail))))
    yield
  }
  return starts
}

/** The rows, centred and whitened by a covariance that is shrunk to the identity by q rows and trimmed of the rows furthest out. */
function* trimmedWhitening(rows: Rows): Generator<void, Float64Array, void> {
  const { data, cols } = rows
  const n = data.length / cols
  let kept = new Uint8Array(n).fill(1)
  const white = new Float64Array(data.length)
  for (let round = 0; round < trimmings; round++) {
    const { count, mean, scatter } = yield* momentsInTurns(rows, kept, 1)
    yield
    const covariance = scatter.map((value, at) => (value + (at % (cols + 1) === 0 ? cols : 0)) / (count + cols))
    const factor = choleskyOf(covariance, cols)
    for (let i = 0; i < n; i++) {
      const own = white.subarray(i * cols, (i + 1) * cols)
      for (let j = 0; j < cols; j++) own[j] = (data[i * cols + j] as number) - (mean[j] as number)
      solveLower(factor, cols, own)
    }
    yield
    const distances = squaredNorms(white, cols)
    kept = below(distances, quantile(distances, keptShare))
  }
  return white
}

/** Far rows in different directions: the furthest, then again and again the one, of the furthest tenth, least in line with those so far. */
function* farRows(white: Float64Array, cols: number): Generator<void, number[], void> {
  const distances = squaredNorms(white, cols)
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
      let cosine = 0
      for (let j = 0; j < cols; j++) cosine += (white[row * cols + j] as number) * (direction[j] as number)
      cosine /= Math.sqrt((distances[row] as number) * (distances[last] as number)) + 1e-12
      inLine[i] = Math.max(inLine[i] as number, cosine)
      if ((inLine[i] as number) < (inLine[next] as number)) next = i
    })
    seeds.push(far[next] as number)
    yield
  }
  return seeds
}

/** Squared length of every row. */
export function squaredNorms(data: Float64Array, cols: number): Float64Array {
  return Float64Array.from({ length: data.length / cols }, (_, i) => innerProduct(data, i * cols, data, i * cols, cols))
}

function along(data: Float64Array, direction: Float64Array): Float64Array {
  const cols = direction.length
  return Float64Array.from({ length: data.length / cols }, (_, i) => innerProduct(data, i * cols, direction, 0, cols))
}

const column = (data: Float64Array, cols: number, j: number) =>
  Float64Array.from({ length: data.length / cols }, (_, i) => data[i * cols + j] as number)

const above = (values: Float64Array, limit: number) => Uint8Array.from(values, (value) => (value > limit ? 1 : 0))
const below = (values: Float64Array, limit: number) => Uint8Array.from(values, (value) => (value < limit ? 1 : 0))

/** The quantile with linear interpolation between neighbours. */
function quantile(values: Float64Array, p: number): number {
  const sorted = values.slice().sort()
  const at = p * (sorted.length - 1)
  const lower = Math.floor(at)
  const low = sorted[lower] as number
  return low + (at - lower) * ((sorted[Math.min(lower + 1, sorted.length - 1)] as number) - low)
}
