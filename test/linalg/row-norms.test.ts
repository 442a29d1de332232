import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { rowNorms } from '../../src/linalg/row-norms.js'

const rng = new Rng(50)

it.each([1, 3, 5, 260])('norms of some rows of %i numbers, block by block: as the textbook has it', async (cols) => {
  const rows = 10
  const data = Float32Array.from({ length: rows * cols }, () => 3 * rng.normal())
  async function* reads() {
    yield { start: 0, rows: 4, data: data.subarray(0, 4 * cols) }
    yield { start: 4, rows: 6, data: data.subarray(4 * cols) }
  }
  const places = [2, -1, -1, 0, -1, 5, 4, -1, 1, 3]
  const norms = await rowNorms(reads(), 6, Int32Array.from(places))
  expect(norms).toHaveLength(6)
  for (const [row, place] of places.entries()) {
    if (place >= 0) expect(norms[place]).toBeCloseTo(Math.hypot(...data.subarray(row * cols, (row + 1) * cols)), 10)
  }
})
