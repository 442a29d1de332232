import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { distinctRows, typicalDistance } from '../../src/linalg/distinct-rows.js'
import type { Rows } from '../../src/linalg/moments.js'

const count = (rows: Rows, members: readonly number[]) => atOnce(distinctRows(rows, members, typicalDistance(rows)))
const all = ({ data, cols }: Rows) => [...Array(data.length / cols).keys()]
const normalRows = (n: number, cols: number, rng: Rng): Rows => ({
  data: Float64Array.from({ length: n * cols }, () => rng.normal()),
  cols,
})

/** The rows with the given numbers, in that order. */
function taken({ data, cols }: Rows, order: readonly number[]): Rows {
  const out = new Float64Array(order.length * cols)
  for (const [to, from] of order.entries()) out.set(data.subarray(from * cols, (from + 1) * cols), to * cols)
  return { data: out, cols }
}

/** Unit vectors along the axes, √2 apart from each other. */
const axes = (n: number): Rows => ({ data: Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0)), cols: n })

/** From the description: walk from row to row wherever two are near, with a fifth and with a tenth of the median squared distance. */
function naive({ data, cols }: Rows, members: readonly number[]): number {
  const apart = (a: number, b: number) => {
    let sum = 0
    for (let j = 0; j < cols; j++) sum += ((data[a * cols + j] as number) - (data[b * cols + j] as number)) ** 2
    return sum
  }
  const distances = all({ data, cols })
    .flatMap((a) => Array.from({ length: a }, (_, b) => apart(a, b)))
    .sort((a, b) => a - b)
  const typical = distances[distances.length >> 1] as number
  const parts = (limit: number) => {
    const left = new Set(members)
    let found = 0
    for (const start of members) {
      if (!left.delete(start)) continue
      found++
      const open = [start]
      for (let at = open.pop(); at !== undefined; at = open.pop()) {
        for (const other of left) if (apart(at, other) < limit && left.delete(other)) open.push(other)
      }
    }
    return found
  }
  return Math.sqrt(parts(typical / 10) * parts(typical / 5))
}

it('counts a row and its copies once', () => {
  const rows = taken(
    axes(20),
    Array.from({ length: 100 }, (_, i) => (7 * i) % 20),
  )
  expect(count(rows, all(rows))).toBeCloseTo(20, 10)
  expect(count(rows, [0, 20, 40, 1])).toBeCloseTo(2, 10)
  expect(count(rows, [3])).toBeCloseTo(1, 10)
  expect(count(rows, [])).toBe(0)
})

it('is between the two counts where a pair is near by one radius and not by the other', () => {
  // Ten pairs 0.55 apart: 0.3 squared, where others lie at least 2 apart, squared.
  const rows = taken(axes(20), [...Array(10).keys(), ...Array(10).keys()])
  for (let i = 10; i < 20; i++) rows.data[i * 20 + i] = 0.55
  expect(count(rows, all(rows))).toBeCloseTo(Math.sqrt(10 * 20), 10)
})

it('joins a row to all that are joined by others between', () => {
  const rng = new Rng(1)
  for (const spread of [0.2, 0.35, 0.5, 0.7]) {
    // Walks of six steps about ten places: near ones are chains.
    const rows = normalRows(60, 3, rng)
    for (let at = 0; at < rows.data.length; at++) {
      rows.data[at] = at < 30 ? 4 * (rows.data[at] as number) : (rows.data[at - 30] as number) + spread * (rows.data[at] as number)
    }
    const members = all(rows).filter((i) => i % 7 !== 3)
    const expected = naive(rows, members)
    expect(expected).toBeLessThan(members.length)
    expect(count(rows, members)).toBeCloseTo(expected, 10)
  }
})

it('does not depend on the order of the rows', () => {
  const rng = new Rng(2)
  const rows = normalRows(150, 2, rng)
  const members = all(rows).filter((i) => i % 3 > 0)
  const order = all(rows).sort((a, b) => ((a * 67) % 151) - ((b * 67) % 151))
  const turned = members.map((i) => order.indexOf(i)).sort((a, b) => a - b)
  const expected = count(rows, members)
  expect(expected).toBeLessThan(members.length)
  expect(count(taken(rows, order), turned)).toBeCloseTo(expected, 10)
})

it('looks at a part of more than a thousand rows, whose share goes for all', () => {
  const rows = normalRows(2400, 48, new Rng(3))
  expect(count(rows, all(rows))).toBeCloseTo(2400, 8)
  // Every third row is looked at: of 800, 400 are copies of another.
  const twice = taken(
    rows,
    Array.from({ length: 2400 }, (_, i) => i % 1200),
  )
  expect(count(twice, all(twice))).toBeCloseTo(1200, 8)
})

it('copies count once also where they are most of the class', () => {
  const rows = taken(
    axes(20),
    Array.from({ length: 100 }, (_, i) => (i < 90 ? 0 : i - 85)),
  )
  expect(count(rows, all(rows).slice(0, 90))).toBeCloseTo(1, 10)
  expect(count(rows, all(rows))).toBeCloseTo(11, 10)
})
