import type { HostMatrix, Kernel, Shape } from '../core/backend.js'
import { applyWidth } from './gram-apply.js'
import { sampleMatrix } from './sample.js'

/**
 * One step of a filtered subspace iteration: W = α·Z − β·V − γ·P of sixteen vectors a class, made orthonormal, and V put through the same
 * combinations. Inputs: Z `[classes · 16, d]`, V and P `[2 · classes · 16, d]`, weights α, β, γ, 0 `[classes, 4]`. Output: W and the next P
 * `[2 · classes · 16, d]`; zero rows where the space is exhausted.
 * Tolerance: where the vectors are far from dependent, as in the sample, sums of d products twice: 1e-4 of the largest entry is ample. What
 * is left of nearly dependent vectors is rounding, and then only the span is to be compared.
 */
export const filterStepKernel: Kernel<void> = {
  id: 'filter-step',
  shader: 'filter-step',
  tolerance: { atol: 1e-4, rtol: 1e-4 },
  plan([applied, vectors, weights]: readonly Shape[]) {
    const classes = (weights as Shape).rows
    return {
      output: { rows: 2 * classes * applyWidth, cols: (applied as Shape).cols, type: 'f32' },
      scratch: [],
      passes: [
        {
          entryPoint: 'step',
          uniforms: [(vectors as Shape).cols, classes],
          workgroups: classes,
          bindings: [{ input: 0 }, { input: 1 }, { input: 2 }, 'output'],
        },
      ],
    }
  },
  *cpu([applied, vectors, weights]: readonly HostMatrix[], _params, output) {
    const { cols } = applied as HostMatrix
    const z = (applied as HostMatrix).data
    const v = (vectors as HostMatrix).data
    const size = applyWidth * cols
    const classes = (weights as HostMatrix).rows
    for (let c = 0; c < classes; c++) {
      const [alpha, beta, gamma] = (weights as HostMatrix).data.subarray(c * 4, c * 4 + 3) as unknown as [number, number, number]
      const [first, second] = [c * size, (classes + c) * size]
      const next = Float64Array.from(
        { length: size },
        (_, i) => alpha * (z[first + i] as number) - beta * (v[first + i] as number) - gamma * (v[second + i] as number),
      )
      const previous = Float64Array.from(v.subarray(first, first + size))
      orthonormalise(next, previous, cols)
      output.set(next, first)
      output.set(previous, second)
      yield
    }
  },
  sample() {
    const weights = { data: Float32Array.of(0.8, 0.3, 0.5, 0, 1.2, -0.4, 0.1, 0), rows: 2, cols: 4, type: 'f32' } as const
    return { inputs: [sampleMatrix(2 * applyWidth, 36), sampleMatrix(4 * applyWidth, 36), weights], params: undefined }
  },
}

/** Makes the rows of `w: [16, cols]` orthonormal in order, twice over; those of `p` are combined as those of `w` are. */
function orthonormalise(w: Float64Array, p: Float64Array, cols: number): void {
  for (let k = 0; k < applyWidth; k++) {
    const own = k * cols
    let shrunk = 0
    for (let round = 0; round < 2; round++) {
      const shares = Array.from({ length: k + 1 }, (_, i) => dot(w, i * cols, own, cols))
      shrunk = shares[k] as number
      for (let i = 0; i < k; i++) {
        const share = shares[i] as number
        for (let j = 0; j < cols; j++) {
          w[own + j] = (w[own + j] as number) - share * (w[i * cols + j] as number)
          p[own + j] = (p[own + j] as number) - share * (p[i * cols + j] as number)
        }
      }
    }
    const left = dot(w, own, own, cols)
    const scale = left > 1e-4 * shrunk ? 1 / Math.sqrt(left) : 0
    for (let j = 0; j < cols; j++) {
      w[own + j] = (w[own + j] as number) * scale
      p[own + j] = (p[own + j] as number) * scale
    }
  }
}

function dot(w: Float64Array, a: number, b: number, length: number): number {
  let sum = 0
  for (let j = 0; j < length; j++) sum += (w[a + j] as number) * (w[b + j] as number)
  return sum
}
