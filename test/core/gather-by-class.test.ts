import { expect, it } from 'vitest'
import { gatherByClass } from '../../src/core/gather-by-class.js'
import { Rng } from '../../src/core/rng.js'
import { byEachEngine } from '../support/double-engines.js'

it.each([
  { cols: 5, paddedCols: 8 },
  { cols: 8, paddedCols: 8 },
  { cols: 260, paddedCols: 260 }, // more than are copied at once
  { cols: 40_000, paddedCols: 40_000 }, // rows that are longer
])(
  'rows of $cols columns come class by class, less the shift, padded to $paddedCols: the same bits in WebAssembly',
  ({ cols, paddedCols }) => {
    const rng = new Rng(cols)
    const rows = cols > 1000 ? 6 : 300
    const data = Float32Array.from({ length: rows * cols }, () => 50 + rng.normal())
    const order = Uint32Array.from({ length: rows }, (_, i) => ((i * 7) % rows === i ? i : rows - 1 - i))
    const shift = Float32Array.from({ length: paddedCols }, (_, j) => (j < cols ? 50 + rng.normal() : 0))
    // The second half of the first class, none of the second, the first third of the third.
    const starts = Uint32Array.of(0, rows / 6, rows / 6, rows / 2)
    const positions = Uint32Array.of(rows / 6, rows / 3, rows / 3)
    const expected = Array.from({ length: rows / 2 }, (_, i) => (i < rows / 6 ? rows / 6 + i : rows / 3 + i - rows / 6)).flatMap(
      (position) =>
        Array.from({ length: paddedCols }, (_, j) =>
          j < cols ? Math.fround((data[(order[position] as number) * cols + j] as number) - (shift[j] as number)) : 0,
        ),
    )
    const { plain, inWebAssembly } = byEachEngine(() => {
      const out = new Float32Array((rows / 2) * paddedCols).fill(Number.NaN)
      for (const _ of gatherByClass({ data, rows, cols }, order, { starts, positions }, shift, out));
      return out
    })
    expect(plain.findIndex((value, i) => value !== expected[i])).toBe(-1)
    for (const out of inWebAssembly) expect(out.findIndex((value, i) => value !== expected[i])).toBe(-1)
  },
)

it('gives other work its turn', () => {
  const [rows, cols] = [4096, 512]
  const gathering = gatherByClass(
    { data: new Float32Array(rows * cols), rows, cols },
    Uint32Array.from({ length: rows }, (_, i) => i),
    { starts: Uint32Array.of(0, 1500, rows), positions: Uint32Array.of(0, 1500) },
    new Float32Array(cols),
    new Float32Array(rows * cols),
  )
  expect([...gathering].length).toBe(4)
})
