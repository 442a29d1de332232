import { classIsConstant } from '../core/activation-set.js'
import type { DeviceMatrix } from '../core/backend.js'
import { DetectorError } from '../core/errors.js'
import { pause } from '../core/pause.js'
import type { ResidentSet } from '../core/resident-set.js'
import { showText } from '../core/untrusted-text.js'
import { gram, gramBytesPerClass } from '../kernels/gram.js'
import { applyWidth, gramApply } from '../kernels/gram-apply.js'
import { BlockKrylov } from './block-krylov.js'
import { symmetricEigen, withFixedSign } from './symmetric-eigen.js'

/** The leading principal directions of every class, about the class's own mean. */
export interface ClassDirections {
  /** `[classes · k, paddedCols]`, a unit vector a row; zero rows beyond a class's rank. Kept with the resident set. */
  readonly directions: DeviceMatrix
  readonly k: number
  /** `[classes · k]` eigenvalues of the centred XᵀX (squared singular values), falling within a class; 0 beyond its rank. */
  readonly values: Float64Array
  /** Directions of each class, at most k, that carry variance: θ > 1e-6·θ₁. */
  readonly ranks: readonly number[]
}

/** How the directions are found. `auto` counts operations; the others are for tests and benches. */
export type EigenMethod = 'auto' | 'gram' | 'krylov'

/** Solved for together, since a block iteration finds them anyway and detectors that want 1 and 10 then share one solution. */
const solvedTogether = 10

/**
 * The `k` leading eigenpairs of every class's centred XᵀX (equally: right singular vectors of the centred class), all classes at once.
 * Signs are fixed: the largest entry is positive. `k` is cut to the number of columns. The result is kept with the set.
 *
 * Method: the d×d Gram matrix in one pass over the data and an eigensolver on the host, or block Krylov with one pass per step and no
 * d×d matrix, whichever `gramIsCheaper` counts to be cheaper.
 */
export function topEigenvectors(set: ResidentSet, k: number, method: EigenMethod = 'auto'): Promise<ClassDirections> {
  const wanted = Math.min(k, set.set.activations.cols)
  const solved = Math.min(Math.max(k, solvedTogether), set.set.activations.cols)
  return set.keep(`top eigenvectors ${wanted} ${method}`, async () => {
    const pairs = await set.keep(`eigenpairs ${solved} ${method}`, () => solve(set, solved, method))
    return leading(set, pairs, wanted)
  })
}

async function solve(set: ResidentSet, k: number, method: EigenMethod): Promise<readonly Pairs[]> {
  const width = applyWidth * Math.ceil(Math.min(k + 6, set.paddedCols) / applyWidth)
  const useGram = method === 'gram' || (method === 'auto' && gramIsCheaper(set, width))
  return useGram ? byGram(set, k, width) : byKrylov(set, k, width)
}

function leading(set: ResidentSet, pairs: readonly Pairs[], k: number): ClassDirections {
  const size = set.paddedCols
  const values = new Float64Array(pairs.length * k)
  const directions = new Float32Array(pairs.length * k * size)
  const ranks = pairs.map((pair, c) => {
    if (!pair.values.every(Number.isFinite)) throw tooLarge(set, c)
    // Equal rows leave nothing but rounding, which would pass for directions: their rank is 0.
    const largest = classIsConstant(set.set, c) ? Number.POSITIVE_INFINITY : Math.max(pair.values[0] ?? 0, 0)
    let rank = 0
    while (rank < Math.min(k, pair.values.length) && (pair.values[rank] as number) > 1e-6 * largest) {
      values[c * k + rank] = pair.values[rank] as number
      directions.set(withFixedSign(pair.vectors[rank] as Float64Array), (c * k + rank) * size)
      rank++
    }
    return rank
  })
  const uploaded = set.own(set.context.backend.upload({ data: directions, rows: pairs.length * k, cols: size, type: 'f32' }))
  return { directions: uploaded, k, values, ranks }
}

function tooLarge(set: ResidentSet, c: number): DetectorError {
  const label = showText(set.set.classes[c]?.label)
  return new DetectorError(
    'overflow',
    `principal directions: class ${label} has values whose squares add up to more than float32 holds (3.4e38); scale all activations down by one factor`,
    { label },
  )
}

interface Pairs {
  readonly values: Float64Array
  readonly vectors: readonly Float64Array[]
}

/**
 * Multiply-adds of both ways, T = 8 applications of A being what block Krylov needs on real activations. Gram: n·d²/2 for the upper
 * triangle, then T·w·d² a class on the host. Krylov: 2·T·w·n·d over the data, then about 8·w²·d·T a class on the host to orthonormalise
 * and combine. The data part of Krylov is weighted by 1.5: the matrix product runs nearer to the hardware's peak.
 */
function gramIsCheaper(set: ResidentSet, width: number): boolean {
  const { rows } = set.x
  const size = set.paddedCols
  const classes = set.set.classes.length
  const largestClass = set.set.classes.reduce((largest, info) => Math.max(largest, info.rows), 0)
  if (gramBytesPerClass(largestClass, size) > set.context.backend.maxBindingBytes) return false
  const steps = 8
  const gramOperations = (rows * size * size) / 2 + classes * steps * width * size * size
  const krylovOperations = 1.5 * 2 * steps * width * rows * size + classes * steps * 8 * width * width * size
  return gramOperations <= krylovOperations
}

/** Below this size all eigenpairs of a Gram matrix cost a millisecond or less. */
const denseSize = 64

/** Device memory that a batch of Gram matrices and their partial sums may take. */
const batchBytes = 64 * 2 ** 20

async function byGram(set: ResidentSet, k: number, width: number): Promise<Pairs[]> {
  const { classes } = set.set
  const size = set.paddedCols
  const pairs: Pairs[] = []
  for (let first = 0; first < classes.length; ) {
    let end = first
    let bytes = 0
    do bytes += gramBytesPerClass((classes[end++] as { rows: number }).rows, size)
    while (end < classes.length && bytes + gramBytesPerClass((classes[end] as { rows: number }).rows, size) <= batchBytes)
    using matrices = gram(set, first, end)
    const host = await set.context.backend.read(matrices)
    for (let c = first; c < end; c++) {
      const a = host.subarray((c - first) * size * size, (c - first + 1) * size * size)
      pairs.push(size <= denseSize ? dense(a, size, k) : await iterate(set, a, { size, width, wanted: k }))
      await pause()
      set.context.signal?.throwIfAborted()
    }
    first = end
  }
  return pairs
}

function dense(a: Float32Array, size: number, k: number): Pairs {
  const { values, vectors } = symmetricEigen(a, size)
  return { values: values.slice(0, k), vectors: Array.from({ length: k }, (_, i) => vectors.slice(i * size, (i + 1) * size)) }
}

async function iterate(set: ResidentSet, a: Float32Array, shape: { size: number; width: number; wanted: number }): Promise<Pairs> {
  const { size, width } = shape
  const solver = new BlockKrylov(startBlock(set, width), { ...shape, tolerance: 1e-7 })
  const applied = new Float64Array(width * size)
  while (!solver.done) {
    multiply(a, solver.block, { size, width }, applied)
    solver.accept(applied)
    await pause()
    set.context.signal?.throwIfAborted()
  }
  return solver
}

/** applied[k] = A·block[k], A symmetric: every row of A is read once for all vectors. */
function multiply(a: Float32Array, block: Float64Array, { size, width }: { size: number; width: number }, applied: Float64Array): void {
  for (let i = 0; i < size; i++) {
    const row = i * size
    for (let k = 0; k < width; k++) {
      let sum = 0
      for (let j = 0, at = k * size; j < size; j++, at++) sum += (a[row + j] as number) * (block[at] as number)
      applied[k * size + i] = sum
    }
  }
}

async function byKrylov(set: ResidentSet, k: number, width: number): Promise<Pairs[]> {
  const { backend, signal } = set.context
  const size = set.paddedCols
  const classes = set.set.classes.length
  const start = startBlock(set, width)
  // Float32 passes leave residuals of about 1e-6·θ₁.
  const solvers = set.set.classes.map(() => new BlockKrylov(start, { size, width, wanted: k, tolerance: 1e-5 }))
  const applied = new Float32Array(width * size)
  while (solvers.some((solver) => !solver.done)) {
    const groups: Float32Array[] = []
    for (let group = 0; group < width / applyWidth; group++) {
      const directions = new Float32Array(classes * applyWidth * size)
      solvers.forEach((solver, c) => {
        if (!solver.done)
          directions.set(solver.block.subarray(group * applyWidth * size, (group + 1) * applyWidth * size), c * applyWidth * size)
      })
      using uploaded = backend.upload({ data: directions, rows: classes * applyWidth, cols: size, type: 'f32' })
      using result = gramApply(set, uploaded)
      groups.push(await backend.read(result))
    }
    for (const [c, solver] of solvers.entries()) {
      if (solver.done) continue
      groups.forEach((result, group) => {
        applied.set(result.subarray(c * applyWidth * size, (c + 1) * applyWidth * size), group * applyWidth * size)
      })
      solver.accept(applied)
      if (c % 16 === 15) {
        await pause()
        signal?.throwIfAborted()
      }
    }
  }
  return solvers
}

/** Seeded Gaussian start, the same for every class and backend: float32 values, so that what is uploaded is what is meant. */
function startBlock(set: ResidentSet, width: number): Float64Array {
  const rng = set.context.rng.fork('top-eigenvectors')
  return Float64Array.from({ length: width * set.paddedCols }, () => Math.fround(rng.normal()))
}
