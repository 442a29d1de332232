import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { nearestRows } from '../../src/linalg/nearest-rows.js'

const rng = new Rng(1)
const random = (n: number, cols: number) => Float32Array.from({ length: n * cols }, () => rng.normal())

function found(
  rows: { data: Float32Array; firstRow: number },
  data: Float32Array,
  rowOf: Uint32Array,
  { cols, k }: { cols: number; k: number },
) {
  const out: number[][] = []
  const references = { data, count: rowOf.length, cols, rowOf }
  const visit = (i: number, neighbours: Uint32Array) => {
    out[i] = [...neighbours]
  }
  atOnce(nearestRows(rows, references, { k, visit }))
  return out
}

it.each([
  [1, 1, 1],
  [5, 3, 2],
  [8, 40, 7],
  [11, 33, 33],
  [6, 9, 50],
])('%i rows, %i references, k = %i: as a sort of all distances', (n, count, k) => {
  const cols = 5
  const [rows, data] = [random(n, cols), random(count, cols)]
  const rowOf = Uint32Array.from({ length: count }, (_, r) => 1000 + r)
  const naive = Array.from({ length: n }, (_, i) =>
    Array.from({ length: count }, (_, r) => {
      let sum = 0
      for (let j = 0; j < cols; j++) sum += ((rows[i * cols + j] as number) - (data[r * cols + j] as number)) ** 2
      return { r, sum }
    })
      .sort((a, b) => a.sum - b.sum)
      .slice(0, k)
      .map(({ r }) => r),
  )
  expect(found({ data: rows, firstRow: 0 }, data, rowOf, { cols, k })).toEqual(naive)
})

it('a row is no neighbour of its own, its twin is, and ties go to the lower index', () => {
  const data = Float32Array.of(0, 0, 0, 3)
  const rowOf = Uint32Array.of(10, 11, 12, 13)
  expect(found({ data: data.slice(1), firstRow: 11 }, data, rowOf, { cols: 1, k: 2 })).toEqual([
    [0, 2],
    [0, 1],
    [0, 1],
  ])
})
