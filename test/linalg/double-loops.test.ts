import { describe, expect, it } from 'vitest'
import { doubleEngine } from '../../src/core/double-engine.js'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { choleskyOf } from '../../src/linalg/cholesky.js'
import { splitClass } from '../../src/linalg/class-split.js'
import { bandLimits, gramBands, gramDeviations } from '../../src/linalg/gram-bands.js'
import { exchange } from '../../src/linalg/hartigan.js'
import { minimaxDirection } from '../../src/linalg/minimax-direction.js'
import { moments } from '../../src/linalg/moments.js'
import { placesAlong, projections } from '../../src/linalg/projections.js'
import { otherGroups } from '../../src/linalg/separation.js'
import { TiedMixtureFit } from '../../src/linalg/tied-mixture.js'
import { solvedRows } from '../../src/linalg/triangular.js'
import { byEachEngine } from '../support/double-engines.js'
import { randomCovariance } from '../support/random-covariance.js'

function expectSameBits<T>(compute: () => T): void {
  const { plain, inWebAssembly } = byEachEngine(compute)
  for (const result of inWebAssembly) expect(result).toEqual(plain)
}

const normals = (length: number, seed: number) => {
  const rng = new Rng(seed)
  return Float64Array.from({ length }, () => rng.normal() + 3)
}
const marks = (n: number, seed: number) => {
  const rng = new Rng(seed)
  return Uint8Array.from({ length: n }, () => rng.below(3))
}

describe.each([
  { n: 1, cols: 1 },
  { n: 2, cols: 3 },
  { n: 7, cols: 4 },
  { n: 33, cols: 5 },
  { n: 64, cols: 8 },
  { n: 201, cols: 30 },
  { n: 150, cols: 67 },
])('float64 loops give the same bits in WebAssembly as in TypeScript: $n × $cols', ({ n, cols }) => {
  const rows = { data: normals(n * cols, n), cols }
  const mean = normals(cols, 2)
  const covariance = randomCovariance(cols, new Rng(3))
  const factor = choleskyOf(covariance, cols)

  it('second moments of the rows on a side', () => {
    for (const value of [0, 2]) expectSameBits(() => moments(rows, marks(n, 1), value))
  })

  it('triangular solves, with rows that lie further apart than they are long', () => {
    for (const stride of [cols, Math.ceil(cols / 4) * 4]) {
      expectSameBits(() => {
        const solved = { data: new Float64Array(n * stride), stride }
        return { lengths: atOnce(solvedRows(rows, { mean, factor }, solved)), solved: solved.data }
      })
    }
    expectSameBits(() => atOnce(solvedRows(rows, { mean, factor }, null)))
  })

  it('Gram features’ distances from bands, of rows within them and beyond, and of zeros', () => {
    const singles = Float32Array.from(rows.data, (value, i) => (i < cols ? 0 : i % 5 === 0 ? -4 * value : value - 3))
    const bands = bandLimits(atOnce(gramBands({ rows: singles.slice(0, Math.ceil(n / 2) * cols), cols })))
    expectSameBits(() => atOnce(gramDeviations({ rows: singles, ...bands })))
  })

  it('projections on one direction and on many', () => {
    expectSameBits(() => projections(rows, mean))
    for (const width of [1, 4, 7]) {
      const stride = cols + 3
      expectSameBits(() => atOnce(placesAlong(rows, { mean, directions: normals(width * stride, 4), stride })))
    }
  })

  it('a Cholesky factor', () => {
    expectSameBits(() => choleskyOf(covariance, cols))
  })

  it('the minimax direction, and its weights', () => {
    const rng = new Rng(5)
    const covariances = Array.from({ length: 4 }, () => randomCovariance(cols, rng))
    expectSameBits(() => minimaxDirection(mean, covariances))
    expectSameBits(() => minimaxDirection(mean, covariances, { steps: 3, weights: Float64Array.of(0.5, 0, 0.25, 0.25) }))
    expectSameBits(() => minimaxDirection(new Float64Array(cols), covariances))
  })

  it('the exchange of rows between clusters', () => {
    for (const clusters of [2, 3]) {
      const points = Float32Array.from(rows.data)
      expectSameBits(() => atOnce(exchange({ points, dims: cols, clusters }, normals(clusters * cols, 8))))
    }
  })

  it('the steps of a tied mixture', () => {
    expectSameBits(() => {
      const side = new Uint8Array(n)
      const fit = new TiedMixtureFit({ data: rows.data.map((value, at) => (at < (n * cols) / 3 ? value + 4 : value)), cols }, side, 0)
      const start = Float64Array.from({ length: n }, (_, i) => (i < n / 3 ? 0.9 : 0.2))
      return [fit.step(start), atOnce(fit.run(start, 1)), atOnce(fit.run(start, 30))]
    })
  })
})

it('a log likelihood of many rows is the same too, whose factors take more than one product', () => {
  const rows = { data: normals(2 * 2500, 8), cols: 2 }
  expectSameBits(() => new TiedMixtureFit(rows, new Uint8Array(2500), 0).step(Float64Array.from({ length: 2500 }, (_, i) => i / 2500)))
})

it('a class is divided the same way, bit for bit', () => {
  const cols = 12
  const data = normals(300 * cols, 6).map((value, at) => (at < 40 * cols && at % cols === 2 ? value + 9 : value))
  const identity = Float64Array.from({ length: cols * cols }, (_, at) => (at % (cols + 1) === 0 ? 1 : 0))
  const others = otherGroups([identity, randomCovariance(cols, new Rng(7))], [1e6, 200], cols)
  expectSameBits(() => atOnce(splitClass({ data, cols }, { others, directions: 8, rng: new Rng(1) })))
})

it('a matrix that is not positive definite is refused by either', () => {
  expect(() => byEachEngine(() => (doubleEngine() ? new Float64Array(1) : choleskyOf(Float64Array.of(1, 2, 2, 1), 2)))).toThrow(RangeError)
  expect(() => byEachEngine(() => (doubleEngine() ? choleskyOf(Float64Array.of(1, 2, 2, 1), 2) : null))).toThrow(RangeError)
})

describe('arrays that stay in an engine', () => {
  it('are not changed by what they are used for', () => {
    const covariance = randomCovariance(9, new Rng(4))
    expectSameBits(() => {
      doubleEngine()?.keep(covariance)
      return [choleskyOf(covariance, 9), choleskyOf(covariance, 9), minimaxDirection(normals(9, 1), [covariance, covariance])]
    })
  })

  it('are copied again after others have taken their room', () => {
    const directions = normals(8, 9)
    const kept = Array.from({ length: 40 }, (_, i) => normals(2 ** 17, i))
    const sums = (data: Float64Array) => projections({ data, cols: 8 }, directions).reduce((sum, value) => sum + value, 0)
    const { plain, inWebAssembly } = byEachEngine(() => {
      for (const data of kept) doubleEngine()?.keep(data)
      return [...kept, ...kept].map(sums)
    })
    for (const result of inWebAssembly) expect(result).toEqual(plain)
  })
})
