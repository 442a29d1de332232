import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { putNorms, rowNorms } from '../../src/linalg/row-norms.js'
import { byEachEngine } from '../support/double-engines.js'

const drawn = (count: number) => {
  const rng = new Rng(count)
  return Float32Array.from({ length: count }, () => 3 * rng.normal())
}

it.each([
  [1, 1],
  [5, 3],
  [7, 4],
  [3, 513],
  [300, 260], // more than is copied at once
  [2, 40_000], // rows that are longer
])('%i rows of %i numbers: as the textbook has it, and the same bits in WebAssembly', (rows, cols) => {
  const data = drawn(rows * cols)
  const { plain, inWebAssembly } = byEachEngine(() => {
    const norms = new Float64Array(rows)
    putNorms(data, cols, norms)
    return norms
  })
  for (const [i, norm] of plain.entries()) expect(norm).toBeCloseTo(Math.hypot(...data.subarray(i * cols, (i + 1) * cols)), 8)
  for (const norms of inWebAssembly) expect(norms).toEqual(plain)
})

it('goes through blocks of rows', async () => {
  const data = drawn(50)
  async function* reads() {
    yield { start: 0, rows: 4, data: data.subarray(0, 20) }
    yield { start: 4, rows: 6, data: data.subarray(20) }
  }
  const norms = await rowNorms(reads(), 10)
  for (const [i, norm] of norms.entries()) expect(norm).toBeCloseTo(Math.hypot(...data.subarray(i * 5, (i + 1) * 5)), 10)
  const some = await rowNorms(reads(), 3, Int32Array.of(-1, 2, -1, 0, -1, -1, -1, -1, 1, -1))
  expect([...some]).toEqual([norms[3], norms[8], norms[1]])
})
