import { doubleEngine } from '../core/double-engine.js'
import { chiSquaredQuantile } from '../stats/chi-squared.js'
import { selectInPlace } from '../stats/median.js'
import { choleskyOf } from './cholesky.js'
import { momentsInTurns, type Rows } from './moments.js'
import { projections } from './projections.js'
import { solvedRows } from './triangular.js'

const maxSeeds = 64
const maxSteps = 8
/** As many rows, those furthest along with a seed, make its first group. */
const fewest = 5
const largestShare = 0.1

/**
 * Groups of few rows that lie apart from the rest together: what a likelihood does not see, since ten rows in two thousand hardly raise it.
 * Returned are those found, as marks on the rows (1 in the group), best first, at most `wanted` different ones.
 *
 * Local ascent on the separation, from the 3 % of the rows (at most 64) of largest Mahalanobis distance under the reference, which is the
 * identity in `rows: [n, r]`: a group is the few rows furthest towards its mean, in a space whitened by the average of the reference and the
 * class's own covariance. A row of the group is judged by the mean of the others in it; otherwise any five rows of many
 * dimensions would hold each other.
 */
export function* smallGroups(rows: Rows, wanted: number): Generator<void, Uint8Array[], void> {
  const { data, cols } = rows
  const n = data.length / cols
  const most = Math.floor(largestShare * n)
  if (most < fewest) return []
  const { mean, scatter } = yield* momentsInTurns(rows, new Uint8Array(n), 0)
  yield
  const distances = squaredDistances(rows, mean)
  const far = Uint32Array.from({ length: n }, (_, i) => i).sort((a, b) => (distances[b] as number) - (distances[a] as number) || a - b)
  const factor = choleskyOf(
    scatter.map((value, at) => (value / Math.max(n - 1, 1) + (at % (cols + 1) === 0 ? 1 : 0)) / 2),
    cols,
  )
  const white = new Float64Array(data.length)
  const norms = yield* solvedRows(rows, { mean, factor }, { data: white, stride: cols })
  doubleEngine()?.keep(white)
  yield
  // Sums of squares over these are variances at their 95 % upper bound: five rows that lie close by chance count for little.
  const bounds = Float64Array.from({ length: most + 1 }, (_, k) => (k < fewest ? 1 : chiSquaredQuantile(0.05, k - 1)))
  const climbed = new Set<string>()
  const ascent = { white, cols, norms, most, bounds, climbed, ordered: new Float64Array(n) }
  const found: { group: Uint8Array; sigmas: number }[] = []
  for (const seed of far.subarray(0, Math.min(maxSeeds, Math.max(16, Math.floor(0.03 * n)), n))) {
    const group = yield* climb(ascent, seed)
    if (group && !found.some((other) => alike(other.group, group.group))) found.push(group)
  }
  return found
    .sort((a, b) => b.sigmas - a.sigmas)
    .slice(0, wanted)
    .map(({ group }) => group)
}

/** Squared distance of every row from the mean. */
function squaredDistances({ data, cols }: Rows, mean: Float64Array): Float64Array {
  const distances = new Float64Array(data.length / cols)
  for (let i = 0, at = 0; i < distances.length; i++) {
    let sum = 0
    for (let j = 0; j < cols; j++, at++) sum += ((data[at] as number) - (mean[j] as number)) ** 2
    distances[i] = sum
  }
  return distances
}

interface Ascent {
  readonly white: Float64Array
  readonly cols: number
  readonly norms: Float64Array
  readonly most: number
  readonly bounds: Float64Array
  /** Groups that a climb has come by: another one that does ends where it did. */
  readonly climbed: Set<string>
  /** `[n]`, to put values in order in. */
  readonly ordered: Float64Array
}

function* climb(ascent: Ascent, seed: number): Generator<void, { group: Uint8Array; sigmas: number } | null, void> {
  const { white, cols, norms } = ascent
  const n = norms.length
  let sum = white.slice(seed * cols, (seed + 1) * cols)
  let group = new Uint8Array(n)
  group[seed] = 1
  let count = 1
  let best: { group: Uint8Array; sigmas: number } | null = null
  for (let step = 0; step < maxSteps; step++) {
    // Products with the sum, which become the rows' values.
    const values = projections({ data: white, cols }, sum)
    const squared = sum.reduce((s, value) => s + value * value, 0)
    for (let i = 0; i < n; i++) {
      const inner = values[i] as number
      const own = norms[i] as number
      // A member is projected on the mean of the others.
      const isMember = group[i] === 1 && count > 1
      const product = isMember ? inner - own : inner
      const length = isMember ? squared - 2 * inner + own : squared
      values[i] = product / Math.sqrt(Math.max(length, 1e-12))
    }
    yield
    const cut = bestCut(values, count === 1 ? fewest : ascent.most, ascent)
    const next = new Uint8Array(n)
    for (const i of cut.rows) next[i] = 1
    if (count > 1 && !(cut.sigmas > (best?.sigmas ?? 0))) break
    if (count > 1) best = { group: next, sigmas: cut.sigmas }
    if (next.every((value, i) => value === group[i])) break
    if (count > 1) {
      const key = cut.rows.sort().join()
      if (ascent.climbed.has(key)) return null
      ascent.climbed.add(key)
    }
    group = next
    count = cut.rows.length
    sum = new Float64Array(cols)
    for (const i of cut.rows) for (let j = 0; j < cols; j++) sum[j] = (sum[j] as number) + (white[i * cols + j] as number)
  }
  return best
}

/** The highest rows by `values`, as many as lie apart best: distance of the means over the larger standard deviation. */
function bestCut(values: Float64Array, most: number, { bounds, ordered }: Ascent): { rows: Uint32Array; sigmas: number } {
  const n = values.length
  ordered.set(values)
  const least = selectInPlace(ordered, n - Math.min(most, n))
  const highest: number[] = []
  for (let i = 0; i < n; i++) if ((values[i] as number) >= least) highest.push(i)
  const sorted = Uint32Array.from(highest).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b)
  let total = 0
  let totalSquares = 0
  for (const value of values) {
    total += value
    totalSquares += value * value
  }
  let top = 0
  let topSquares = 0
  let best = { count: fewest, sigmas: Number.NEGATIVE_INFINITY }
  for (let k = 1; k <= Math.min(most, n - 1); k++) {
    const value = values[sorted[k - 1] as number] as number
    top += value
    topSquares += value * value
    if (k < fewest) continue
    const rest = n - k
    const apart = top / k - (total - top) / rest
    const spread = Math.max(
      (topSquares - top ** 2 / k) / (bounds[k] as number),
      (totalSquares - topSquares) / rest - ((total - top) / rest) ** 2,
      1e-12,
    )
    const sigmas = apart / Math.sqrt(spread)
    if (sigmas > best.sigmas) best = { count: k, sigmas }
  }
  return { rows: sorted.slice(0, best.count), sigmas: best.sigmas }
}

function alike(a: Uint8Array, b: Uint8Array): boolean {
  let both = 0
  let either = 0
  for (let i = 0; i < a.length; i++) {
    if (a[i] && b[i]) both++
    if (a[i] || b[i]) either++
  }
  return both > 0.8 * either
}
