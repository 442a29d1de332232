import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { BlockKrylov } from '../../src/linalg/block-krylov.js'
import { symmetricEigen } from '../../src/linalg/symmetric-eigen.js'
import { expectAllClose } from '../support/allclose.js'

interface Problem {
  readonly a: Float64Array
  readonly size: number
}

/** A = QᵀΛQ with the given spectrum, Q from the eigenvectors of a random matrix. */
function withSpectrum(spectrum: readonly number[], seed: number): Problem {
  const size = spectrum.length
  const rng = new Rng(seed)
  const random = new Float64Array(size * size)
  for (let i = 0; i < size; i++) for (let j = i; j < size; j++) random[i * size + j] = rng.normal()
  const { vectors } = symmetricEigen(random, size)
  const a = new Float64Array(size * size)
  spectrum.forEach((value, k) => {
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++)
        a[i * size + j] = (a[i * size + j] as number) + value * (vectors[k * size + i] as number) * (vectors[k * size + j] as number)
  })
  return { a, size }
}

function solve({ a, size }: Problem, { width, wanted, tolerance = 1e-9 }: { width: number; wanted: number; tolerance?: number }) {
  const rng = new Rng(1)
  const start = Float64Array.from({ length: width * size }, () => rng.normal())
  const solver = new BlockKrylov(start, { size, width, wanted, tolerance })
  let applications = 0
  while (!solver.done) {
    applications++
    if (applications > 200) throw new Error('it does not end')
    const { block } = solver
    const applied = new Float64Array(width * size)
    for (let k = 0; k < width; k++)
      for (let i = 0; i < size; i++) {
        let sum = 0
        for (let j = 0; j < size; j++) sum += (a[i * size + j] as number) * (block[k * size + j] as number)
        applied[k * size + i] = sum
      }
    solver.accept(applied)
  }
  return { solver, applications }
}

/** Values to a relative tolerance of the first, and each vector a unit vector with a small residual. */
function expectLeading(problem: Problem, solver: BlockKrylov, wanted: number) {
  const { a, size } = problem
  const exact = symmetricEigen(a, size).values
  const scale = Math.abs(exact[0] as number)
  expectAllClose(solver.values, exact.slice(0, wanted), { atol: 1e-8 * scale, rtol: 0 })
  solver.vectors.forEach((v, k) => {
    expect(Math.hypot(...v)).toBeCloseTo(1, 10)
    for (let i = 0; i < size; i++) {
      let sum = 0
      for (let j = 0; j < size; j++) sum += (a[i * size + j] as number) * (v[j] as number)
      expect(Math.abs(sum - (solver.values[k] as number) * (v[i] as number))).toBeLessThanOrEqual(1e-7 * scale)
    }
    solver.vectors.slice(0, k).forEach((u) => {
      expect(Math.abs(u.reduce((sum, value, j) => sum + value * (v[j] as number), 0))).toBeLessThan(1e-8)
    })
  })
}

const geometric = (size: number, ratio: number) => Array.from({ length: size }, (_, k) => ratio ** k)

describe.each([5, 40, 150])('on %i dimensions', (size) => {
  test.each([
    ['a falling spectrum', geometric(size, 0.8)],
    ['a flat spectrum', Array.from({ length: size }, (_, k) => 1 + 0.5 / (k + 1))],
    ['clusters of equal values', Array.from({ length: size }, (_, k) => (k < 3 ? 5 : k < 8 ? 2 : 0.1))],
    ['one strong direction', Array.from({ length: size }, (_, k) => (k === 0 ? 1e6 : 1 / (k + 1)))],
    ['a low rank', Array.from({ length: size }, (_, k) => (k < 3 ? 3 - k : 0))],
    ['all values equal', new Array<number>(size).fill(2)],
  ])('finds the leading pairs of %s', (_, spectrum) => {
    const problem = withSpectrum(spectrum, size)
    const wanted = Math.min(10, size)
    const { solver } = solve(problem, { width: 16, wanted })
    expect(solver.vectors).toHaveLength(wanted)
    expectLeading(problem, solver, wanted)
  })
})

test('a zero operator has zero values and ends after one application', () => {
  const { solver, applications } = solve({ a: new Float64Array(400), size: 20 }, { width: 16, wanted: 10 })
  expect([...solver.values]).toEqual(new Array(10).fill(0))
  expect(applications).toBe(1)
})

test('a start of zeros ends with nothing', () => {
  const solver = new BlockKrylov(new Float64Array(32), { size: 8, width: 4, wanted: 2, tolerance: 1e-6 })
  solver.accept(new Float64Array(32))
  expect(solver.done).toBe(true)
  expect(solver.values).toHaveLength(0)
})

test('a spectrum that falls as real activations’ do takes at most 12 applications at the tolerance in use', () => {
  const problem = withSpectrum(geometric(150, 0.85), 3)
  expect(solve(problem, { width: 16, wanted: 10, tolerance: 1e-5 }).applications).toBeLessThanOrEqual(12)
})

test('blocks are orthonormal, with zero rows where the space is exhausted', () => {
  const rng = new Rng(2)
  const size = 6
  const solver = new BlockKrylov(
    Float64Array.from({ length: 16 * size }, () => rng.normal()),
    { size, width: 16, wanted: 4, tolerance: 1e-9 },
  )
  for (let k = 0; k < 16; k++) {
    for (let l = 0; l < 16; l++) {
      let dot = 0
      for (let j = 0; j < size; j++) dot += (solver.block[k * size + j] as number) * (solver.block[l * size + j] as number)
      expect(dot).toBeCloseTo(k === l && k < size ? 1 : 0, 12)
    }
  }
})
