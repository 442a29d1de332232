import { inTurns } from '../core/turns.js'
import { dot } from '../linalg/moments.js'
import { withFixedSign } from '../linalg/symmetric-eigen.js'

/** Rows of a class, `data: [n, cols]`, and which of them are flagged. */
export interface FittedRows {
  readonly data: Float32Array
  readonly cols: number
  readonly flagged: Uint8Array
}

/** Two directions and the point that is drawn at 0, 0; coordinates are in standard deviations of the fitted rows within their groups. */
export interface EvidencePlane {
  readonly axes: 'evidence' | 'principal'
  readonly origin: Float64Array
  readonly x: Float64Array
  readonly y: Float64Array
}

/** Each costs one product with the rows, and what is drawn needs two digits. */
const mostSolverSteps = 60
const powerSteps = 40
/** Multiply-adds between two yields: a few milliseconds. */
const perTurn = 2 ** 21

/**
 * The plane in which a class is looked at. With flagged rows and others (two of each at least) x is Fisher's discriminant,
 * w = Σ⁻¹(μ flagged − μ rest), Σ being the covariance within the two groups, shrunk by d/(n + d) towards a multiple of the identity so that few
 * rows of many features have one too; y is the leading principal direction within the groups that is orthogonal to x. Without, x and y
 * are the two leading principal directions. Null where all rows are equal; where they differ along a line only, y is 0.
 *
 * No d×d matrix is made: Σ is applied to one vector at a time (conjugate gradients; power iteration), 2·n·d multiply-adds each.
 */
export function evidencePlane(rows: FittedRows, signal?: AbortSignal): Promise<EvidencePlane | null> {
  return inTurns(fitPlane(rows), signal)
}

function* fitPlane({ data, cols, flagged }: FittedRows): Generator<void, EvidencePlane | null, void> {
  const n = flagged.length
  const means = groupMeans(data, cols, flagged)
  const apart = means.counts[0] >= 2 && means.counts[1] >= 2
  const centred = new Float64Array(n * cols)
  for (let i = 0; i < n; i++) {
    const mean = apart && flagged[i] ? means.flagged : apart ? means.rest : means.all
    for (let j = 0; j < cols; j++) centred[i * cols + j] = (data[i * cols + j] as number) - (mean[j] as number)
  }
  let trace = 0
  for (const value of centred) trace += (value * value) / n
  if (!(trace > 0)) return null
  let done = 0
  const covariance = function* (v: Float64Array): Generator<void, Float64Array, void> {
    const out = new Float64Array(cols)
    for (let i = 0; i < n; i++) {
      const at = i * cols
      let along = 0
      for (let j = 0; j < cols; j++) along += (centred[at + j] as number) * (v[j] as number)
      along /= n
      for (let j = 0; j < cols; j++) out[j] = (out[j] as number) + along * (centred[at + j] as number)
      done += cols
      if (done < perTurn) continue
      done = 0
      yield
    }
    return out
  }
  const difference = means.flagged.map((value, j) => value - (means.rest[j] as number))
  let x: Float64Array | null = null
  if (apart && dot(difference, difference) > 0) {
    const shrink = cols / (n + cols)
    x = yield* solve(covariance, { toSolve: difference, shrink, ridge: (shrink * trace) / cols })
  }
  const axes = x ? 'evidence' : 'principal'
  x ??= yield* leading(covariance, cols, null)
  if (!x) return null
  x = unit(x)
  const y = (yield* leading(covariance, cols, x)) ?? new Float64Array(cols)
  const scaled = []
  for (const direction of [x, y]) {
    const deviation = Math.sqrt(dot(direction, yield* covariance(direction)))
    // Groups that do not vary along a direction leave nothing to measure by: their distance is drawn as it is.
    scaled.push(deviation > 1e-9 * Math.sqrt(trace) ? direction.map((value) => value / deviation) : direction)
  }
  return { axes, origin: apart ? means.rest : means.all, x: scaled[0] as Float64Array, y: scaled[1] as Float64Array }
}

type Product = (v: Float64Array) => Generator<void, Float64Array, void>

/** Conjugate gradients on ((1 − shrink)·Σ + ridge·I)·w = toSolve. */
function* solve(
  product: Product,
  { toSolve, shrink, ridge }: { readonly toSolve: Float64Array; readonly shrink: number; readonly ridge: number },
): Generator<void, Float64Array, void> {
  const w = new Float64Array(toSolve.length)
  const residual = toSolve.slice()
  const direction = toSolve.slice()
  const wanted = 1e-10 * dot(toSolve, toSolve)
  let size = dot(residual, residual)
  for (let step = 0; step < mostSolverSteps && size > wanted; step++) {
    const applied = yield* product(direction)
    for (let j = 0; j < w.length; j++) applied[j] = (1 - shrink) * (applied[j] as number) + ridge * (direction[j] as number)
    const along = size / dot(direction, applied)
    for (let j = 0; j < w.length; j++) {
      w[j] = (w[j] as number) + along * (direction[j] as number)
      residual[j] = (residual[j] as number) - along * (applied[j] as number)
    }
    const before = size
    size = dot(residual, residual)
    for (let j = 0; j < w.length; j++) direction[j] = (residual[j] as number) + (size / before) * (direction[j] as number)
  }
  return w
}

/** The leading eigenvector orthogonal to `besides`, by power iteration; null where nothing varies there. */
function* leading(product: Product, cols: number, besides: Float64Array | null): Generator<void, Float64Array | null, void> {
  // Any start that is not orthogonal to it will do; this one is no plain pattern.
  let v = unit(Float64Array.from({ length: cols }, (_, j) => 1 + ((j * 7919) % 101) / 101))
  for (let step = 0; step < powerSteps; step++) {
    if (besides) {
      const along = dot(v, besides)
      v = v.map((value, j) => value - along * (besides[j] as number))
    }
    v = yield* product(unit(v))
    if (besides) {
      const along = dot(v, besides)
      v = v.map((value, j) => value - along * (besides[j] as number))
    }
    const size = Math.sqrt(dot(v, v))
    if (!(size > 0)) return null
  }
  return withFixedSign(unit(v))
}

function unit(v: Float64Array): Float64Array {
  const length = Math.sqrt(dot(v, v))
  return length > 0 ? v.map((value) => value / length) : v
}

function groupMeans(data: Float32Array, cols: number, flagged: Uint8Array) {
  const counts: [number, number] = [0, 0]
  const sums = [new Float64Array(cols), new Float64Array(cols)] as const
  for (let i = 0; i < flagged.length; i++) {
    const group = flagged[i] ? 1 : 0
    counts[group]++
    const sum = sums[group]
    for (let j = 0; j < cols; j++) sum[j] = (sum[j] as number) + (data[i * cols + j] as number)
  }
  const all = sums[0].map((value, j) => (value + (sums[1][j] as number)) / Math.max(1, flagged.length))
  const [rest, own] = sums.map((sum, group) => sum.map((value) => value / Math.max(1, counts[group] as number)))
  return { counts, all, rest: rest as Float64Array, flagged: own as Float64Array }
}

/** Coordinates of rows, `data: [n, cols]`, in the plane: x of each, y of each. */
export function project(data: Float32Array, cols: number, { origin, x, y }: EvidencePlane): { x: Float64Array; y: Float64Array } {
  const n = data.length / cols
  const out = { x: new Float64Array(n), y: new Float64Array(n) }
  for (let i = 0; i < n; i++) {
    let along = 0
    let across = 0
    for (let j = 0; j < cols; j++) {
      const value = (data[i * cols + j] as number) - (origin[j] as number)
      along += value * (x[j] as number)
      across += value * (y[j] as number)
    }
    out.x[i] = along
    out.y[i] = across
  }
  return out
}
