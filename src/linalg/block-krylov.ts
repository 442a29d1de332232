import { atOnce } from '../core/turns.js'
import { symmetricEigenInTurns } from './symmetric-eigen.js'

/** Blocks of Krylov vectors kept before Ritz vectors are taken and the iteration restarts from them. */
const blocksPerCycle = 4
const maxCycles = 16
/** Vectors dealt with between two yields: each meets every vector of the basis. */
const vectorsPerTurn = 8

/**
 * The leading eigenpairs of a symmetric positive semidefinite operator A on `size` dimensions, by restarted block Krylov with
 * Rayleigh–Ritz (Golub & Underwood 1977; Musco & Musco, NeurIPS 2015), float64, with A applied by whoever drives it:
 *
 *     while (!solver.done) solver.accept(apply(solver.block))
 *
 * `block: [width, size]` are the vectors to apply A to, one a row (zero rows where the space is exhausted). The iteration stops when the
 * residuals ‖A·v − θ·v‖ of the first `wanted` pairs are at most `tolerance`·θ₁, or after 16 cycles.
 */
export class BlockKrylov {
  readonly #size: number
  readonly #width: number
  readonly #wanted: number
  readonly #tolerance: number
  #basis: Float64Array[] = []
  #applied: Float64Array[] = []
  #block: Float64Array
  #blockCount = 0
  #blocks = 0
  #cycles = 0
  #values = new Float64Array(0)
  #vectors: Float64Array[] = []
  done = false

  /** `start: [width, size]` random vectors; `wanted` ≤ width. */
  constructor(start: Float64Array, options: { size: number; width: number; wanted: number; tolerance: number }) {
    this.#size = options.size
    this.#width = options.width
    this.#wanted = options.wanted
    this.#tolerance = options.tolerance
    this.#block = new Float64Array(options.width * options.size)
    const candidates = []
    for (let k = 0; k < options.width; k++) candidates.push(start.slice(k * options.size, (k + 1) * options.size))
    atOnce(this.#setBlock(candidates))
  }

  /** The vectors that A is to be applied to next: `[width, size]`. */
  get block(): Float64Array {
    return this.#block
  }

  /** Ritz values in falling order, `wanted` of them or as many as the space has. */
  get values(): Float64Array {
    return this.#values
  }

  /** Unit Ritz vectors, parallel to `values`. */
  get vectors(): readonly Float64Array[] {
    return this.#vectors
  }

  /** Takes A·block and prepares the next block, or finishes. */
  accept(appliedBlock: ArrayLike<number>): void {
    atOnce(this.acceptInTurns(appliedBlock))
  }

  /** The same, yielding now and then. */
  *acceptInTurns(appliedBlock: ArrayLike<number>): Generator<void, void, void> {
    const size = this.#size
    const fresh: Float64Array[] = []
    for (let k = 0; k < this.#blockCount; k++)
      fresh.push(Float64Array.from({ length: size }, (_, j) => appliedBlock[k * size + j] as number))
    this.#applied.push(...fresh)
    this.#blocks++
    if (this.#blocks < blocksPerCycle && (yield* this.#setBlock(fresh.map((vector) => vector.slice())))) return
    yield* this.#rayleighRitz()
  }

  /** Orthonormalises `candidates` against the basis and one another, adds them to the basis as the next block; false if none is left. */
  *#setBlock(candidates: Float64Array[]): Generator<void, boolean, void> {
    const kept: Float64Array[] = []
    for (const vector of candidates) {
      const before = norm(vector)
      if (before === 0) continue
      // Twice is enough (Kahan, Parlett): the second round removes what rounding left of the first.
      for (let round = 0; round < 2; round++) {
        for (const q of this.#basis) subtractProjection(vector, q)
        for (const q of kept) subtractProjection(vector, q)
      }
      const after = norm(vector)
      if (after <= 1e-10 * before) continue
      for (let j = 0; j < vector.length; j++) vector[j] = (vector[j] as number) / after
      kept.push(vector)
      if (kept.length % vectorsPerTurn === 0) yield
    }
    if (kept.length === 0) return false
    this.#basis.push(...kept)
    this.#blockCount = kept.length
    this.#block.fill(0)
    kept.forEach((vector, k) => {
      this.#block.set(vector, k * this.#size)
    })
    return true
  }

  *#rayleighRitz(): Generator<void, void, void> {
    const m = this.#basis.length
    const projected = new Float64Array(m * m)
    for (let i = 0; i < m; i++) {
      for (let j = i; j < m; j++) {
        // The mean of both halves: A·q carries rounding, and the Ritz problem has to be symmetric.
        const value = (dot(this.#basis[i], this.#applied[j]) + dot(this.#basis[j], this.#applied[i])) / 2
        projected[i * m + j] = value
      }
      if ((i + 1) % vectorsPerTurn === 0) yield
    }
    const { values, vectors } = yield* symmetricEigenInTurns(projected, m)
    const count = Math.min(this.#width, m)
    const ritz = yield* combine(this.#basis, vectors, count, this.#size)
    const applied = yield* combine(this.#applied, vectors, count, this.#size)
    const wanted = Math.min(this.#wanted, m)
    const limit = this.#tolerance * Math.max(values[0] as number, 0)
    let converged = true
    for (let k = 0; k < wanted; k++) {
      if (residual(applied[k], ritz[k], values[k] as number) > limit) converged = false
    }
    this.#cycles++
    this.#values = values.slice(0, wanted)
    this.#vectors = ritz.slice(0, wanted)
    if (converged || this.#cycles === maxCycles) {
      this.done = true
      return
    }
    // Restart from the Ritz vectors, whose images are known already: no application is spent on them.
    this.#basis = ritz
    this.#applied = applied
    this.#blocks = 1
    const residuals = applied.map((image, k) =>
      image.map((value, j) => value - (values[k] as number) * ((ritz[k] as Float64Array)[j] as number)),
    )
    if (!(yield* this.#setBlock(residuals))) this.done = true
  }
}

/** Σᵢ yᵢ·vectorsᵢ for the first `count` rows y of `coefficients: [m, m]`. */
function* combine(
  vectors: readonly Float64Array[],
  coefficients: Float64Array,
  count: number,
  size: number,
): Generator<void, Float64Array[], void> {
  const m = vectors.length
  const out: Float64Array[] = []
  for (let k = 0; k < count; k++) {
    const sum = new Float64Array(size)
    for (let i = 0; i < m; i++) {
      const weight = coefficients[k * m + i] as number
      const vector = vectors[i] as Float64Array
      for (let j = 0; j < size; j++) sum[j] = (sum[j] as number) + weight * (vector[j] as number)
    }
    out.push(sum)
    if (out.length % vectorsPerTurn === 0) yield
  }
  return out
}

function residual(applied: Float64Array | undefined, vector: Float64Array | undefined, value: number): number {
  let sum = 0
  for (let j = 0; j < (vector?.length ?? 0); j++) {
    const difference = (applied?.[j] ?? 0) - value * (vector?.[j] ?? 0)
    sum += difference * difference
  }
  return Math.sqrt(sum)
}

function subtractProjection(vector: Float64Array, q: Float64Array): void {
  const weight = dot(vector, q)
  for (let j = 0; j < vector.length; j++) vector[j] = (vector[j] as number) - weight * (q[j] as number)
}

function dot(a: Float64Array | undefined, b: Float64Array | undefined): number {
  let sum = 0
  if (a && b) for (let j = 0; j < a.length; j++) sum += (a[j] as number) * (b[j] as number)
  return sum
}

function norm(vector: Float64Array): number {
  return Math.sqrt(dot(vector, vector))
}
