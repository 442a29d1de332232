import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { neighbourVotes } from '../../src/linalg/neighbour-votes.js'
import { describeEachBackend } from '../support/each-backend.js'

const rng = new Rng(5)
const normal = () => rng.normal()

/** Kinds of rows that are hard to tell apart. */
const kinds = {
  'of any kind': normal,
  'with many exact ties': () => Math.round(4 * rng.normal()) / 4,
  'all equal': () => 3,
  'all zeros': () => 0,
  'that differ by what float32 rounds away': () => 1 + Math.round(3 * rng.float()) * 2 ** -23,
  'far from zero': () => 1e4 + rng.normal(),
}

const classes = 4

describeEachBackend('votes of neighbours', ({ shared }) => {
  const shapes = [
    { n: 1, count: 1, cols: 1, most: 1 },
    { n: 33, count: 300, cols: 5, most: 7 },
    { n: 300, count: 700, cols: 36, most: 50 },
    { n: 40, count: 9, cols: 8, most: 20 },
    { n: 60, count: 2099, cols: 12, most: 50 },
  ]
  const cases = shapes.flatMap((shape) => Object.entries(kinds).map(([kind, value]) => ({ ...shape, kind, value })))
  it.each(cases)('are those of a sort of all distances: rows $kind, $n of them, $count references, up to $most neighbours', async (one) => {
    const { n, count, cols, most, value } = one
    const context = await shared()
    const rows = Math.max(n + 20, count)
    const all = Float32Array.from({ length: rows * cols }, value)
    const classOf = Uint32Array.from({ length: rows }, () => rng.below(classes))
    // Some rows are references themselves; the others are of rows that come before and after.
    const rowOf = Uint32Array.from(Array.from({ length: count }, (_, r) => (r * 7) % rows).filter((row, r, of) => of.indexOf(row) === r))
    const data = new Float32Array(rowOf.length * cols)
    for (const [r, row] of rowOf.entries()) data.set(all.subarray(row * cols, (row + 1) * cols), r * cols)
    const firstRow = 10
    const own = all.slice(firstRow * cols, (firstRow + n) * cols)
    const kOfClass = [most, Math.ceil(most / 2), 1, Math.ceil(most / 3)]
    using votes = neighbourVotes(context, { references: { data, count: rowOf.length, cols, rowOf }, classOf, kOfClass })
    const found = await votes.of({ data: own, firstRow })
    for (let i = 0; i < n; i++) {
      const near = Array.from(rowOf, (row, r) => {
        let half = 0
        for (let j = 0; j < cols; j++) half += (data[r * cols + j] as number) ** 2
        let product = 0
        for (let j = 0; j < cols; j++) product += (data[r * cols + j] as number) * (own[i * cols + j] as number)
        return { row, half: half / 2 - product, r }
      })
        .filter(({ row }) => row !== firstRow + i)
        .sort((a, b) => a.half - b.half || a.r - b.r)
        .slice(0, kOfClass[classOf[firstRow + i] as number])
      const counts = new Array<number>(classes).fill(0)
      for (const { row } of near) counts[classOf[row] as number] = (counts[classOf[row] as number] as number) + 1
      const ofOwn = counts[classOf[firstRow + i] as number] as number
      const share = near.length === 0 ? 0 : Math.fround(1 - ofOwn / near.length)
      expect([found[2 * i], found[2 * i + 1]]).toEqual([share, ofOwn < Math.max(...counts) ? 1 : 0])
    }
  })
})
