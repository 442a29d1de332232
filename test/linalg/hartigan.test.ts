import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { type ExchangeOptimum, exchange, type Partition } from '../../src/linalg/hartigan.js'

const dims = 2

/** Runs the exchange to its end. */
function exchanged(partition: Partition, centres: ArrayLike<number>): ExchangeOptimum {
  const work = exchange(partition, centres)
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}

function inertiaOf(points: Float32Array, assigned: ArrayLike<number>, clusters: number): number {
  let total = 0
  for (let k = 0; k < clusters; k++) {
    const rows = Array.from({ length: points.length / dims }, (_, i) => i).filter((i) => assigned[i] === k)
    for (let j = 0; j < dims; j++) {
      const mean = rows.reduce((sum, i) => sum + (points[i * dims + j] as number), 0) / rows.length
      for (const i of rows) total += ((points[i * dims + j] as number) - mean) ** 2
    }
  }
  return total
}

function nearestOf(points: Float32Array, centres: ArrayLike<number>, clusters: number): number[] {
  return Array.from({ length: points.length / dims }, (_, i) => {
    const distances = Array.from(
      { length: clusters },
      (_k, k) =>
        ((points[i * dims] as number) - (centres[k * dims] as number)) ** 2 +
        ((points[i * dims + 1] as number) - (centres[k * dims + 1] as number)) ** 2,
    )
    return distances.indexOf(Math.min(...distances))
  })
}

const cloud = (rows: number, seed: number) => {
  const rng = new Rng(seed)
  return Float32Array.from({ length: rows * dims }, () => rng.normal())
}

test('reaches the best of all 511 partitions of ten points, started from every pair', () => {
  for (let seed = 0; seed < 8; seed++) {
    const points = cloud(10, seed)
    let optimum = Number.POSITIVE_INFINITY
    for (let mask = 1; mask < 512; mask++) {
      const assigned = Array.from({ length: 10 }, (_, i) => (i < 9 ? (mask >> i) & 1 : 0))
      optimum = Math.min(optimum, inertiaOf(points, assigned, 2))
    }
    let best = Number.POSITIVE_INFINITY
    for (let a = 0; a < 10; a++) {
      for (let b = a + 1; b < 10; b++) {
        const centres = [...points.slice(a * dims, (a + 1) * dims), ...points.slice(b * dims, (b + 1) * dims)]
        const found = exchanged({ points, dims, clusters: 2 }, centres)
        expect(found.inertia).toBeGreaterThanOrEqual(optimum * (1 - 1e-12))
        best = Math.min(best, found.inertia)
      }
    }
    expect(best).toBeCloseTo(optimum, 10)
  }
})

test('is never worse than where it starts, for two to five clusters', () => {
  const rng = new Rng(4)
  for (let round = 0; round < 40; round++) {
    const clusters = 2 + (round % 4)
    const points = cloud(60, round)
    const centres = Float64Array.from({ length: clusters * dims }, () => rng.normal())
    const before = inertiaOf(points, nearestOf(points, centres, clusters), clusters)
    const found = exchanged({ points, dims, clusters }, centres)
    expect(found.inertia).toBeLessThanOrEqual(before * (1 + 1e-9))
    // Its answer is a partition by nearest centre, with the inertia that it says.
    expect(inertiaOf(points, nearestOf(points, found.centres, clusters), clusters)).toBeCloseTo(found.inertia, 8)
  }
})

test('leaves an optimum of Lloyd’s that a single move improves', () => {
  // Three points on a line: {0, 1} | {2.9}. From the centres 0 and 1.95 Lloyd stays at {0} | {1, 2.9}.
  const points = Float32Array.of(0, 0, 1, 0, 2.9, 0)
  const found = exchanged({ points, dims, clusters: 2 }, [0, 0, 1.95, 0])
  expect(found.inertia).toBeCloseTo(0.5, 6)
})

test('an empty cluster takes a row where that helps, and none where all rows are equal', () => {
  const two = Float32Array.of(0, 0, 4, 0)
  expect(exchanged({ points: two, dims, clusters: 2 }, [2, 0, 99, 0]).inertia).toBe(0)
  const equal = exchanged({ points: Float32Array.of(3, 3, 3, 3, 3, 3), dims, clusters: 2 }, [3, 3, 7, 7])
  expect(equal).toEqual({ centres: Float64Array.of(3, 3, 7, 7), inertia: 0 })
})

test('one row stays alone, and what was passed in stays as it is', () => {
  const points = Float32Array.of(1, 2)
  const centres = Float64Array.of(0, 0, 5, 5)
  const found = exchanged({ points, dims, clusters: 2 }, centres)
  expect(found.inertia).toBe(0)
  expect([...centres]).toEqual([0, 0, 5, 5])
  expect([...points]).toEqual([1, 2])
})

/** Looks at every row at every sweep. */
function plainExchange(points: Float32Array, first: ArrayLike<number>, clusters: number): ExchangeOptimum {
  const rows = points.length / dims
  const assigned = nearestOf(points, first, clusters)
  const sizes = Array.from({ length: clusters }, (_, k) => assigned.filter((own) => own === k).length)
  const centres = Float64Array.from({ length: clusters * dims }, (_, at) => {
    const k = Math.floor(at / dims)
    const own = assigned.flatMap((cluster, i) => (cluster === k ? [points[i * dims + (at % dims)] as number] : []))
    return own.reduce((sum, value) => sum + value, 0) / own.length
  })
  const square = (i: number, k: number) => {
    let sum = 0
    for (let j = 0; j < dims; j++) sum += ((points[i * dims + j] as number) - (centres[k * dims + j] as number)) ** 2
    return sum
  }
  const best = (i: number) => {
    const from = assigned[i] as number
    const size = sizes[from] as number
    const cost = size > 1 ? (size / (size - 1)) * square(i, from) : 0
    let move = { to: from, gain: cost * 1e-12 }
    for (let k = 0; k < clusters; k++) {
      const other = sizes[k] as number
      const gain = cost - (other / (other + 1)) * square(i, k)
      if (k !== from && gain > move.gain) move = { to: k, gain }
    }
    return move.to === from ? { to: from, gain: 0 } : move
  }
  for (let sweep = 0; sweep < 100; sweep++) {
    const gains = Array.from({ length: rows }, (_, i) => best(i).gain)
    const movers = [...gains.keys()].filter((i) => (gains[i] as number) > 0)
    if (movers.length === 0) break
    for (const i of movers.sort((a, b) => (gains[b] as number) - (gains[a] as number) || a - b)) {
      const { to, gain } = best(i)
      if (gain <= 0) continue
      const from = assigned[i] as number
      for (let j = 0; j < dims; j++) {
        const value = points[i * dims + j] as number
        centres[from * dims + j] =
          (centres[from * dims + j] as number) - (value - (centres[from * dims + j] as number)) / ((sizes[from] as number) - 1)
        centres[to * dims + j] =
          (centres[to * dims + j] as number) + (value - (centres[to * dims + j] as number)) / ((sizes[to] as number) + 1)
      }
      assigned[i] = to
      sizes[from] = (sizes[from] as number) - 1
      sizes[to] = (sizes[to] as number) + 1
    }
  }
  return { centres, inertia: Array.from({ length: rows }, (_, i) => square(i, assigned[i] as number)).reduce((a, b) => a + b, 0) }
}

test('gives what looking at every row at every sweep gives', () => {
  for (let seed = 0; seed < 12; seed++) {
    const clusters = 2 + (seed % 3)
    // A single cloud has many shallow optima, and takes many sweeps.
    const points = cloud(300 + 100 * (seed % 4), 100 + seed)
    if (seed % 2) for (let i = 0; i < 200; i++) points[i] = (points[i] as number) + 6
    const first = points.slice(0, clusters * dims)
    const found = exchanged({ points, dims, clusters }, first)
    const expected = plainExchange(points, first, clusters)
    expect(found.inertia).toBeCloseTo(expected.inertia, 9)
    found.centres.forEach((value, at) => {
      expect(value).toBeCloseTo(expected.centres[at] as number, 9)
    })
  }
})
