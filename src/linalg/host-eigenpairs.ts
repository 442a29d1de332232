import type { DeviceSet } from '../core/device-set.js'
import { pause } from '../core/pause.js'
import { applyWidth, gramApply } from '../kernels/gram-apply.js'
import { BlockKrylov } from './block-krylov.js'
import { symmetricEigenInTurns } from './symmetric-eigen.js'

/** Leading eigenvalues, falling, and unit eigenvectors of one class. */
export interface Pairs {
  readonly values: Float64Array
  readonly vectors: readonly (Float64Array | Float32Array)[]
}

interface Shape {
  readonly size: number
  /** Vectors that are iterated together. */
  readonly width: number
  readonly wanted: number
  /** `[width, size]` where an iteration starts. */
  readonly start: Float64Array
}

/** Below this size all eigenpairs of a matrix cost a millisecond or less. */
const denseSize = 64

/** Of the symmetric `a: [size, size]`. */
export function pairsOf(a: Float64Array, shape: Shape): Generator<void, Pairs, void> {
  const { size, width, wanted } = shape
  return allAreCheaper(size, width) ? dense(a, size, wanted) : iterate(a, shape)
}

/** All eigenpairs, 9·d³, against an iteration's eight applications of A with what it takes to orthonormalise and combine. */
function allAreCheaper(size: number, width: number): boolean {
  return size <= denseSize || 9 * size * size <= 8 * width * (size + 8 * width)
}

function* dense(a: Float64Array, size: number, k: number): Generator<void, Pairs, void> {
  const { values, vectors } = yield* symmetricEigenInTurns(a, size)
  return { values: values.slice(0, k), vectors: Array.from({ length: k }, (_, i) => vectors.slice(i * size, (i + 1) * size)) }
}

function* iterate(a: Float64Array, { start, ...shape }: Shape): Generator<void, Pairs, void> {
  const { size, width } = shape
  const solver = new BlockKrylov(start, { ...shape, tolerance: 1e-7 })
  const applied = new Float64Array(width * size)
  while (!solver.done) {
    yield* multiply(a, solver.block, { size, width }, applied)
    solver.accept(applied)
  }
  return solver
}

/** applied[k] = A·block[k], A symmetric: every row of A is read once for all vectors. */
function* multiply(
  a: Float64Array,
  block: Float64Array,
  { size, width }: { size: number; width: number },
  applied: Float64Array,
): Generator<void, void, void> {
  const rowsPerTurn = Math.ceil(2 ** 20 / (width * size)) // about a millisecond of work
  for (let i = 0; i < size; i++) {
    const row = i * size
    for (let k = 0; k < width; k++) {
      let sum = 0
      for (let j = 0, at = k * size; j < size; j++, at++) sum += (a[row + j] as number) * (block[at] as number)
      applied[k * size + i] = sum
    }
    if ((i + 1) % rowsPerTurn === 0) yield
  }
}

/** Of every class of a set, with one pass over the rows per step. */
export async function byKrylov(set: DeviceSet, { width, wanted, start }: Omit<Shape, 'size'>): Promise<Pairs[]> {
  const { signal } = set.context
  const size = set.paddedCols
  const classes = set.set.classes.length
  // Float32 passes leave residuals of about 1e-6·θ₁.
  const solvers = set.set.classes.map(() => new BlockKrylov(start, { size, width, wanted, tolerance: 1e-5 }))
  const groupSize = applyWidth * size
  const applied = new Float64Array(width * size)
  while (solvers.some((solver) => !solver.done)) {
    const groups = Array.from({ length: width / applyWidth }, (_, group) => {
      const directions = new Float32Array(classes * groupSize)
      solvers.forEach((solver, c) => {
        if (!solver.done) directions.set(solver.block.subarray(group * groupSize, (group + 1) * groupSize), c * groupSize)
      })
      return directions
    })
    const results = await gramApply(set, groups)
    for (const [c, solver] of solvers.entries()) {
      if (solver.done) continue
      results.forEach((result, group) => {
        applied.set(result.subarray(c * groupSize, (c + 1) * groupSize), group * groupSize)
      })
      solver.accept(applied)
      await pause()
      signal?.throwIfAborted()
    }
  }
  return solvers
}
