import type { DeviceMatrix } from '../core/backend.js'
import type { ClassBatch, DeviceSet } from '../core/device-set.js'
import { dispose } from '../core/dispose.js'
import { pause } from '../core/pause.js'
import { uploadPart } from '../kernels/class-parts.js'
import { filterStepKernel } from '../kernels/filter-step.js'
import { applyWidth, runGramApply } from '../kernels/gram-apply.js'
import { ritzPairCols, ritzProductsKernel, ritzResidualsKernel, ritzVectorsKernel } from '../kernels/ritz.js'
import { symmetricEigen } from './symmetric-eigen.js'

/** Applications of A between two looks at the Ritz pairs. */
const stepsPerCycle = 8
const maxCycles = 12
/** Float32 passes leave residuals of about 1e-6·θ₁. */
const tolerance = 1e-5

/** Eigenvalues in falling order and unit eigenvectors `[size]`, parallel to them. */
export interface LeadingPairs {
  readonly values: Float64Array
  readonly vectors: readonly Float64Array[]
}

interface Problem {
  /** `[classes of the set, d]`, what is subtracted from the rows of each class. */
  readonly means: Float32Array
  /** `[16, d]` vectors to begin with. */
  readonly start: Float64Array
  /** Pairs wanted of each class, at most 16. */
  readonly wanted: number
}

/**
 * The leading eigenpairs of XᵀX of every class of a batch that has all rows of its classes, by Chebyshev-filtered subspace iteration (Zhou,
 * Saad, Tiago & Chelikowsky 2006) with all vectors on the backend. Between two looks the iteration applies the Chebyshev polynomial of
 * degree 8 that is small on [0, θ₁₆] and grows steeply beyond; then Rayleigh–Ritz on the sixteen vectors. Only 16×16 matrices and residuals
 * come back, and the vectors at the end. It stops when the residuals of the wanted pairs are at most 1e-5·θ₁ in all classes, or after 12 rounds.
 */
export async function filteredSubspace(set: DeviceSet, block: ClassBatch, { means, start, wanted }: Problem): Promise<LeadingPairs[]> {
  const { backend, signal } = set.context
  const cols = set.paddedCols
  const classes = block.batch.end - block.batch.first
  using centres = uploadPart(backend, means, { ...block.batch, cols })
  const weights = (of: (c: number) => readonly [number, number, number]) => {
    const data = new Float32Array(classes * 4)
    for (let c = 0; c < classes; c++) data.set(of(c), c * 4)
    return backend.upload({ data, rows: classes, cols: 4, type: 'f32' })
  }
  const step = (applied: DeviceMatrix, vectors: DeviceMatrix, terms: DeviceMatrix) =>
    backend.run(filterStepKernel, [applied, vectors, terms], undefined)

  let vectors = firstVectors()
  try {
    for (let cycle = 1; ; cycle++) {
      using applied = runGramApply(block, centres, vectors)
      using products = backend.run(ritzProductsKernel, [vectors, applied], undefined)
      const ritz = ritzPairs(await backend.read(products))
      using pairs = backend.upload({ data: ritz.pairs, rows: classes * applyWidth, cols: ritzPairCols, type: 'f32' })
      using residuals = backend.run(ritzResidualsKernel, [vectors, applied, pairs], undefined)
      if (cycle > maxCycles || converged(ritz.values, await backend.read(residuals), wanted)) {
        using rotated = backend.run(ritzVectorsKernel, [vectors, pairs], undefined)
        return pairsOf(ritz.values, await backend.read(rotated), { cols, wanted })
      }
      // Chebyshev on [0, c]: T₁ = (2/c)·A − 1, Tⱼ₊₁ = 2·T₁·Tⱼ − Tⱼ₋₁. Where there is no variance, A itself, which is zero.
      const cut = (c: number) =>
        Math.max(ritz.values[c * applyWidth + applyWidth - 1] as number, 1e-6 * (ritz.values[c * applyWidth] as number))
      using first = weights((c) => (cut(c) > 0 ? [2 / cut(c), 1, 0] : [1, 0, 0]))
      using later = weights((c) => (cut(c) > 0 ? [4 / cut(c), 2, 1] : [1, 0, 0]))
      take(step(applied, vectors, first))
      for (let i = 1; i < stepsPerCycle; i++) {
        using next = runGramApply(block, centres, vectors)
        take(step(next, vectors, later))
      }
      await pause()
      signal?.throwIfAborted()
    }
  } finally {
    vectors[dispose]()
  }

  function take(next: DeviceMatrix): void {
    vectors[dispose]()
    vectors = next
  }

  /** The same for every class, made orthonormal: W = V. */
  function firstVectors(): DeviceMatrix {
    const data = new Float32Array(2 * classes * applyWidth * cols)
    for (let c = 0; c < classes; c++) data.set(start, c * applyWidth * cols)
    using given = backend.upload({ data, rows: 2 * classes * applyWidth, cols, type: 'f32' })
    using asItIs = weights(() => [0, -1, 0])
    using none = backend.upload({ data: data.subarray(data.length / 2), rows: classes * applyWidth, cols, type: 'f32' })
    return step(none, given, asItIs)
  }
}

/** Ritz values `[classes · 16]` in falling order, and `[classes · 16, 17]` how each pair is made of the vectors, then its value. */
function ritzPairs(products: Float32Array): { values: Float64Array; pairs: Float32Array } {
  const size = applyWidth * applyWidth
  const values = new Float64Array(products.length / applyWidth)
  const pairs = new Float32Array(values.length * ritzPairCols)
  for (let c = 0; c * size < products.length; c++) {
    const own = products.subarray(c * size, (c + 1) * size)
    if (!own.every(Number.isFinite)) {
      values.fill(Number.NaN, c * applyWidth, (c + 1) * applyWidth)
      continue
    }
    // The mean of both halves: A·v carries rounding, and the Ritz problem has to be symmetric.
    const symmetric = own.map((value, at) => (value + (own[(at % applyWidth) * applyWidth + Math.floor(at / applyWidth)] as number)) / 2)
    const eigen = symmetricEigen(symmetric, applyWidth)
    values.set(eigen.values, c * applyWidth)
    for (let k = 0; k < applyWidth; k++) {
      const at = (c * applyWidth + k) * ritzPairCols
      pairs.set(eigen.vectors.subarray(k * applyWidth, (k + 1) * applyWidth), at)
      pairs[at + applyWidth] = eigen.values[k] as number
    }
  }
  return { values, pairs }
}

/** Whether the wanted pairs of all classes are eigenpairs. Values beyond float32 cannot get any better. */
function converged(values: Float64Array, residuals: Float32Array, wanted: number): boolean {
  for (let at = 0; at < values.length; at += applyWidth) {
    const limit = tolerance * Math.max(values[at] as number, 0)
    for (let k = 0; k < wanted; k++) if ((residuals[at + k] as number) > limit) return false
  }
  return true
}

function pairsOf(values: Float64Array, rotated: Float32Array, { cols, wanted }: { cols: number; wanted: number }): LeadingPairs[] {
  return Array.from({ length: values.length / applyWidth }, (_, c) => ({
    values: values.slice(c * applyWidth, c * applyWidth + wanted),
    vectors: Array.from({ length: wanted }, (_, k) => {
      const at = (c * applyWidth + k) * cols
      return Float64Array.from(rotated.subarray(at, at + cols))
    }),
  }))
}
