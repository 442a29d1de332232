import type { Task } from '../core/lane.js'
import type { Rng } from '../core/rng.js'
import { BlockKrylov } from './block-krylov.js'
import { cholesky, solveLower, solveLowerTransposed } from './cholesky.js'
import { leadingEigen } from './leading-eigen.js'
import { placesAlong } from './projections.js'
import { withFixedSign } from './symmetric-eigen.js'
import { solvedRows } from './triangular.js'

/** Up to here the leading eigenpairs at once, 4·n³, cost less than the 14,000·n² of an iteration that runs its sixteen cycles: bulk eigenvalues lie close. */
export const denseSize = 768
const multiplyAddsPerTurn = 2 ** 20

/** The mean of some classes' covariances and a ridge, factored: what each of them is compared with. */
export interface Reference {
  readonly size: number
  readonly classes: number
  readonly factor: Float64Array
}

/** Directions along which one class varies most compared with the mean of the others. */
export interface OwnDirections {
  /** Generalised eigenvalues of (own, mean of the others), falling: variance over that of the others. */
  readonly values: Float64Array
  /** Parallel to `values`: vᵀ·(mean of the others)·v = 1. */
  readonly vectors: readonly Float64Array[]
}

/** Adds `ridge` · trace/n to the diagonal of `mean: [n, n]`, the equal-weight mean over `classes` covariances, and factors it. */
export function* factorReference(
  mean: Float64Array,
  { size, classes, ridge }: { size: number; classes: number; ridge: number },
): Generator<void, Reference, void> {
  let trace = 0
  for (let i = 0; i < size; i++) trace += mean[i * size + i] as number
  const raised = mean.slice()
  for (let i = 0; i < size; i++) raised[i * size + i] = (raised[i * size + i] as number) + (ridge * trace) / size
  return { size, classes, factor: yield* cholesky(raised, size) }
}

/**
 * The leading generalised eigenpairs of own·v = λ·others·v, where `others` is the mean over the reference without `own`.
 *
 * With M the mean over all K classes (ridge included), others = (K·M − own)/(K − 1): both share eigenvectors with own under M, and an
 * eigenvalue a there is λ = (K − 1)·a/(K − a) here. So M is factored once for all classes, and a class costs one symmetric problem: 2·n³
 * multiply-adds to whiten and 2·n³ for the pairs up to n = 768, beyond that block Krylov with three products with n × n matrices a vector
 * and step, until residuals are `tolerance` of the largest eigenvalue. Signs are fixed: the largest entry of a whitened vector is positive.
 */
export function* leaveOneOutDirections(
  own: Float64Array,
  reference: Reference,
  { wanted, rng, denseUpTo = denseSize, tolerance = 1e-5 }: { wanted: number; rng: Rng; denseUpTo?: number; tolerance?: number },
): Generator<void, OwnDirections, void> {
  const { size, factor } = reference
  if (size <= denseUpTo) return yield* denseDirections({ own, reference, wanted })
  return withoutOwn(yield* leadingPairs(own, size, factor, { wanted, rng, tolerance }), reference)
}

/** One class's covariance, what it is compared with, and the directions that are wanted. */
export interface ComparedClass {
  readonly own: Float64Array
  readonly reference: Reference
  readonly wanted: number
}

/** The same at once, whatever the size. */
function* denseDirections({ own, reference, wanted }: ComparedClass): Generator<void, OwnDirections, void> {
  return withoutOwn(yield* densePairs(own, reference.size, reference.factor, wanted), reference)
}

export const denseDirectionsTask: Task<ComparedClass, OwnDirections> = { name: 'dense directions', run: denseDirections }

/** Pairs compared with the mean of all, turned into those compared with the mean of the others. */
function withoutOwn(pairs: Pairs, { size, classes, factor }: Reference): OwnDirections {
  const values = pairs.values.map((a) => {
    const value = Math.min(Math.max(a, 0), classes * (1 - 1e-9))
    return ((classes - 1) * value) / (classes - value)
  })
  const vectors = pairs.vectors.map((u, k) => {
    const v = solveLowerTransposed(factor, size, withFixedSign(u).slice())
    const scale = Math.sqrt((classes - 1) / (classes - Math.min(Math.max(pairs.values[k] as number, 0), classes * (1 - 1e-9))))
    return v.map((value) => value * scale)
  })
  return { values, vectors }
}

interface Pairs {
  readonly values: Float64Array
  readonly vectors: readonly Float64Array[]
}

/** L⁻¹·own·L⁻ᵀ, and its leading eigenpairs. */
function* densePairs(own: Float64Array, n: number, factor: Float64Array, wanted: number): Generator<void, Pairs, void> {
  const white = own.slice()
  const whitening = { mean: new Float64Array(n), factor }
  // Rows of own·L⁻ᵀ are L⁻¹ applied to rows of own (own is symmetric); then the same to the columns.
  for (let round = 0; round < 2; round++) {
    yield* solvedRows({ data: white, cols: n }, whitening, { data: white, stride: n })
    transpose(white, n)
    yield
  }
  const { values, vectors } = yield* leadingEigen(white, n, wanted)
  return { values, vectors: Array.from(values, (_, k) => vectors.slice(k * n, (k + 1) * n)) }
}

function transpose(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const kept = a[i * n + j] as number
      a[i * n + j] = a[j * n + i] as number
      a[j * n + i] = kept
    }
  }
}

function* leadingPairs(
  own: Float64Array,
  n: number,
  factor: Float64Array,
  { wanted, rng, tolerance }: { wanted: number; rng: Rng; tolerance: number },
): Generator<void, Pairs, void> {
  const width = Math.min(wanted + 8, n)
  const start = Float64Array.from({ length: width * n }, () => rng.normal())
  const solver = new BlockKrylov(start, { size: n, width, wanted: Math.min(wanted, n), tolerance })
  const applied = new Float64Array(width * n)
  const image = new Float64Array(n)
  while (!solver.done) {
    for (let k = 0; k < width; k++) {
      const vector = solveLowerTransposed(factor, n, solver.block.slice(k * n, (k + 1) * n))
      for (let i = 0; i < n; i++) {
        let sum = 0
        for (let j = 0, at = i * n; j < n; j++, at++) sum += (own[at] as number) * (vector[j] as number)
        image[i] = sum
      }
      applied.set(solveLower(factor, n, image), k * n)
      if ((k + 1) % Math.max(1, Math.floor(multiplyAddsPerTurn / (n * n))) === 0) yield
    }
    yield* solver.acceptInTurns(applied)
    yield
  }
  return { values: solver.values, vectors: solver.vectors }
}

/** Vᵀ·A·V for the vectors of one class and another class's covariance `a: [n, n]`: k·n² + k²·n multiply-adds. */
export function* within(a: Float64Array, n: number, vectors: readonly Float64Array[]): Generator<void, Float64Array, void> {
  const k = vectors.length
  const directions = new Float64Array(k * n)
  for (const [p, vector] of vectors.entries()) directions.set(vector, p * n)
  const along = { mean: new Float64Array(n), directions, stride: n }
  const images = yield* placesAlong({ data: a, cols: n }, along)
  const turned = new Float64Array(k * n)
  for (let i = 0; i < n; i++) for (let p = 0; p < k; p++) turned[p * n + i] = images[i * k + p] as number
  const out = yield* placesAlong({ data: turned, cols: n }, along)
  for (let p = 0; p < k; p++) for (let q = 0; q < p; q++) out[q * k + p] = out[p * k + q] as number
  return out
}
