import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { trimmedCovariance } from '../../src/linalg/trimmed-covariance.js'
import { expectAllClose } from '../support/allclose.js'

const ridge = (cols: number, value = 1e-9) => new Float64Array(cols).fill(value)

function covarianceOf(factor: Float64Array, k: number): Float64Array {
  return Float64Array.from({ length: k * k }, (_, at) => {
    const [i, j] = [Math.floor(at / k), at % k]
    let sum = 0
    for (let t = 0; t < k; t++) sum += (factor[i * k + t] as number) * (factor[j * k + t] as number)
    return sum
  })
}

it('by hand, in one column: the two outermost of ten rows are left out, then others as the mean moves', () => {
  const data = Float64Array.of(-1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 20, 30)
  const { mean, factor } = atOnce(trimmedCovariance({ data, cols: 1 }, { trim: 0.2, rounds: 3, ridge: ridge(1) }))
  expect(mean[0]).toBeCloseTo(0.75, 12)
  // Mean square about 0.75 is 1.3125; what a normal distribution keeps of its variance within ±1.2816 is 0.4374.
  expect((factor[0] as number) ** 2).toBeCloseTo(1.3125 / 0.43746, 2)
})

it('is the identity on normal rows, whatever is trimmed, and stays there where a tenth of the rows lie elsewhere', () => {
  const rng = new Rng(1)
  const k = 5
  const data = Float64Array.from({ length: 20_000 * k }, () => rng.normal())
  const identity = Float64Array.from({ length: k * k }, (_, at) => (at % (k + 1) === 0 ? 1 : 0))
  for (const trim of [0, 0.1, 0.3, 0.5]) {
    const { mean, factor } = atOnce(trimmedCovariance({ data, cols: k }, { trim, rounds: 3, ridge: ridge(k) }))
    expectAllClose(mean, new Float64Array(k), { atol: 0.05, rtol: 0 })
    expectAllClose(covarianceOf(factor, k), identity, { atol: 0.1, rtol: 0 })
  }
  const poisoned = data.map((value, at) => (at < 2000 * k ? value * 0.3 + 4 : value))
  const { mean } = atOnce(trimmedCovariance({ data: poisoned, cols: k }, { trim: 0.3, rounds: 5, ridge: ridge(k) }))
  expectAllClose(mean, new Float64Array(k), { atol: 0.1, rtol: 0 })
})

it('is the plain moments where nothing is trimmed, four rows at a time or not', () => {
  const rng = new Rng(2)
  for (const n of [5, 6, 7, 8]) {
    const data = Float64Array.from({ length: n * 3 }, () => rng.normal())
    const { mean, factor } = atOnce(trimmedCovariance({ data, cols: 3 }, { trim: 0, rounds: 2, ridge: ridge(3, 0.5) }))
    const plain = [0, 1, 2].map((j) => data.reduce((sum, value, at) => sum + (at % 3 === j ? value / n : 0), 0))
    expectAllClose(mean, Float64Array.from(plain), { atol: 1e-12, rtol: 1e-12 })
    const naive = Float64Array.from({ length: 9 }, (_, at) => {
      const [i, j] = [Math.floor(at / 3), at % 3]
      let sum = i === j ? 0.5 : 0
      for (let row = 0; row < n; row++) {
        sum += (((data[row * 3 + i] as number) - (plain[i] as number)) * ((data[row * 3 + j] as number) - (plain[j] as number))) / n
      }
      return sum
    })
    expectAllClose(covarianceOf(factor, 3), naive, { atol: 1e-12, rtol: 1e-12 })
  }
})

it('keeps equal rows together, and has a factor where all rows are equal', () => {
  const data = Float64Array.from({ length: 40 }, () => 1)
  const { factor } = atOnce(trimmedCovariance({ data, cols: 2 }, { trim: 0.3, rounds: 3, ridge: ridge(2, 0.01) }))
  expect([...factor]).toEqual([0.1, 0, 0, 0.1])
})
