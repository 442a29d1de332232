import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { nearestFinder } from '../../src/linalg/nearest-finder.js'
import { nearestRows } from '../../src/linalg/nearest-rows.js'
import { describeEachBackend } from '../support/each-backend.js'

describeEachBackend('a finder of neighbours', ({ shared }) => {
  it.each([
    { n: 1, count: 1, cols: 1, k: 1 },
    { n: 33, count: 300, cols: 5, k: 7 },
    { n: 600, count: 700, cols: 36, k: 50 },
    { n: 40, count: 9, cols: 8, k: 20 },
  ])('finds what the search on the host finds: $n rows, $count references, k = $k', async ({ n, count, cols, k }) => {
    const context = await shared()
    const rng = new Rng(5)
    const all = Float32Array.from({ length: (n + 20) * cols }, () => Math.round(4 * rng.normal()) / 4) // many exact ties
    const rowOf = Uint32Array.from({ length: count }, (_, r) => (r * 7) % (n + 20))
    const data = new Float32Array(count * cols)
    for (const [r, row] of rowOf.entries()) data.set(all.subarray(row * cols, (row + 1) * cols), r * cols)
    const firstRow = 10
    const rows = { data: all.slice(firstRow * cols, (firstRow + n) * cols), firstRow }
    // A row that stands twice among the references is its own neighbour in neither search only where it stands once.
    const references = { data, count, cols, rowOf: Uint32Array.from(rowOf, (row, r) => (rowOf.indexOf(row) === r ? row : 2 ** 31 + r)) }
    const expected: number[][] = []
    const keepIn = (into: number[][]) => (i: number, neighbours: Uint32Array) => {
      into[i] = [...neighbours]
    }
    atOnce(nearestRows(rows, references, { k, visit: keepIn(expected) }))
    using finder = nearestFinder(context, references, k)
    const actual: number[][] = []
    await finder.find(rows, keepIn(actual))
    expect(actual).toEqual(expected)
  })
})
