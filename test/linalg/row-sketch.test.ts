import { expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { RowSketch } from '../../src/linalg/row-sketch.js'
import { describeEachBackend } from '../support/each-backend.js'

/** The columns that a row of ones at each column goes to, and whether it is taken off there. */
async function targetsOf(sketch: RowSketch, cols: number): Promise<{ to: number; sign: number }[]> {
  const unit = await sketch.of(Float32Array.from({ length: cols * cols }, (_, at) => (at % (cols + 1) === 0 ? 1 : 0)))
  return Array.from({ length: cols }, (_, j) => {
    const row = unit.subarray(j * sketch.width, (j + 1) * sketch.width)
    const to = row.findIndex((value) => value !== 0)
    return { to, sign: row[to] as number }
  })
}

describeEachBackend('sketches of rows', ({ shared }) => {
  it.each([
    { n: 1, cols: 1, width: 1 },
    { n: 7, cols: 6, width: 4 },
    { n: 300, cols: 129, width: 50 },
    { n: 900, cols: 512, width: 131 },
    { n: 20, cols: 10, width: 10 },
    { n: 20, cols: 10, width: 90 },
  ])('are rows over their lengths, columns added up or taken off: $n × $cols to $width', async ({ n, cols, width }) => {
    const rng = new Rng(4)
    const rows = Float32Array.from({ length: n * cols }, () => 10 * rng.normal())
    const sketch = new RowSketch(await shared(), cols, { width, rng: new Rng(8) })
    expect(sketch.width).toBe(Math.min(width, cols))
    const targets = await targetsOf(sketch, cols)
    if (width >= cols) expect(targets).toEqual(targets.map((_, to) => ({ to, sign: 1 })))
    else if (cols > 100) expect(new Set(targets.map(({ sign }) => sign))).toEqual(new Set([1, -1]))
    const actual = await sketch.of(rows)
    for (let i = 0; i < n; i++) {
      const row = rows.subarray(i * cols, (i + 1) * cols)
      const length = Math.sqrt(row.reduce((sum, value) => sum + value ** 2, 0))
      const expected = new Float64Array(sketch.width)
      row.forEach((value, j) => {
        const { to, sign } = targets[j] as { to: number; sign: number }
        expected[to] = (expected[to] as number) + (sign * value) / length
      })
      for (const [k, value] of expected.entries()) expect(actual[i * sketch.width + k]).toBeCloseTo(value, 6)
    }
  })

  it('of rows of zeros are zeros, and very large and very small values neither overflow nor vanish', async () => {
    const sketch = new RowSketch(await shared(), 5, { width: 5, rng: new Rng(1) })
    const rows = Float32Array.of(0, 0, 0, 0, 0, 3e38, 0, -3e38, 0, 0, 0, 0, 0, 1e-45, 0)
    const found = await sketch.of(rows)
    expect([...found.subarray(0, 5)]).toEqual([0, 0, 0, 0, 0])
    expect(found[5]).toBeCloseTo(Math.SQRT1_2, 6)
    expect(found[7]).toBeCloseTo(-Math.SQRT1_2, 6)
    expect([...found.subarray(10)]).toEqual([0, 0, 0, 1, 0])
  })

  it('have the bits that the twin gives', async () => {
    const rng = new Rng(2)
    const rows = Float32Array.from({ length: 400 * 75 }, () => rng.normal())
    const context = await shared()
    const onHost = { ...context, backend: { ...context.backend, runsForms: false } } as unknown as typeof context
    const [own, host] = [context, onHost].map((one) => new RowSketch(one, 75, { width: 16, rng: new Rng(3) }).of(rows))
    expect(await own).toEqual(await host)
  })
})
