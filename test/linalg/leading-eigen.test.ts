import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { leadingEigen } from '../../src/linalg/leading-eigen.js'
import { symmetricEigen } from '../../src/linalg/symmetric-eigen.js'
import { expectAllClose } from '../support/allclose.js'
import { byEachEngine } from '../support/double-engines.js'

/** Q·diag(values)·Qᵀ for a random orthogonal Q. */
function withValues(values: readonly number[], seed: number): Float64Array {
  const n = values.length
  const rng = new Rng(seed)
  const random = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) random[i * n + j] = random[j * n + i] = rng.normal()
  const { vectors } = symmetricEigen(random, n)
  const out = new Float64Array(n * n)
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < n; i++) {
      const scaled = (values[k] as number) * (vectors[k * n + i] as number)
      for (let j = 0; j < n; j++) out[i * n + j] = (out[i * n + j] as number) + scaled * (vectors[k * n + j] as number)
    }
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) out[i * n + j] = out[j * n + i] as number
  return out
}

const from = (n: number, value: (i: number) => number) => Array.from({ length: n }, (_, i) => value(i))

describe.each([
  { name: 'one', values: [3], wanted: 1 },
  { name: 'two', values: [2, -5], wanted: 2 },
  { name: 'falling', values: from(33, (i) => 100 / (1 + i)), wanted: 12 },
  { name: 'more wanted than there are', values: from(6, (i) => i - 2), wanted: 10 },
  { name: 'close together', values: from(60, (i) => 1 + 1e-7 * i), wanted: 20 },
  { name: 'equal in groups', values: from(48, (i) => Math.floor(i / 8)), wanted: 24 },
  { name: 'all equal', values: from(20, () => 4), wanted: 5 },
  { name: 'zeros beyond the first', values: from(31, (i) => (i < 4 ? 5 - i : 0)), wanted: 9 },
  { name: 'of all sizes', values: from(40, (i) => 10 ** (6 - i)), wanted: 15 },
])('leading eigenpairs: $name', ({ values, wanted }) => {
  const n = values.length
  const a = withValues(values, n)
  const { plain, inWebAssembly } = byEachEngine(() => atOnce(leadingEigen(a.slice(), n, wanted)))
  const count = Math.min(wanted, n)

  it('are those of the matrix, orthonormal', () => {
    const scale = Math.max(...values.map(Math.abs))
    const falling = [...values].sort((x, y) => y - x).slice(0, count)
    expectAllClose(plain.values, Float64Array.from(falling), { atol: 1e-12 * scale, rtol: 0 })
    for (let k = 0; k < count; k++) {
      const v = plain.vectors.subarray(k * n, (k + 1) * n)
      for (let i = 0; i < n; i++) {
        let image = 0
        for (let j = 0; j < n; j++) image += (a[i * n + j] as number) * (v[j] as number)
        expect(Math.abs(image - (plain.values[k] as number) * (v[i] as number))).toBeLessThan(1e-11 * scale)
      }
      for (let l = 0; l <= k; l++) {
        const w = plain.vectors.subarray(l * n, (l + 1) * n)
        const product = v.reduce((sum, value, j) => sum + value * (w[j] as number), 0)
        expect(Math.abs(product - (k === l ? 1 : 0))).toBeLessThan(1e-12)
      }
    }
  })

  it('have the same bits in WebAssembly, in either build', () => {
    for (const found of inWebAssembly) expect(found).toEqual(plain)
  })
})

it('leading eigenpairs leave the matrix as it was', () => {
  const a = withValues([5, 3, 1, 0.5], 2)
  const before = a.slice()
  byEachEngine(() => atOnce(leadingEigen(a, 4, 2)))
  expect(a).toEqual(before)
})

it('a matrix of zeros has no direction that is better than another, and all of them are unit vectors', () => {
  const { plain, inWebAssembly } = byEachEngine(() => atOnce(leadingEigen(new Float64Array(25), 5, 3)))
  for (const { values, vectors } of [plain, ...inWebAssembly]) {
    expect([...values]).toEqual([0, 0, 0])
    for (let k = 0; k < 3; k++) expect(Math.hypot(...vectors.subarray(k * 5, k * 5 + 5))).toBeCloseTo(1, 12)
  }
})
