import { describe, expect, it } from 'vitest'
import { type ActivationRows, type RowBlocksInput, toActivationRows } from '../../src/core/activation-rows.js'
import type { MatrixInput, NumberArray } from '../../src/core/matrix.js'

const values = Float32Array.from({ length: 7 * 3 }, (_, i) => i * 0.5)
const inChunks = (chunks: () => AsyncIterable<NumberArray> | Iterable<NumberArray>, rows = 7, cols = 3): RowBlocksInput => ({
  rows,
  cols,
  blocks: chunks,
})
/** The seven rows in chunks of so many values each. */
const cut = (...lengths: number[]) =>
  inChunks(function* () {
    for (let at = 0, i = 0; at < values.length; i++) {
      const length = lengths[i % lengths.length] as number
      yield values.slice(at, at + length)
      at += length
    }
  })

async function collect(rows: ActivationRows, rowsPerBlock: number) {
  const found: { start: number; data: number[] }[] = []
  for await (const { start, rows: count, data } of rows.blocks(rowsPerBlock)) {
    expect(data.length).toBe(count * rows.cols)
    found.push({ start, data: [...data] })
  }
  return found
}
const refusal = (chunks: () => Iterable<NumberArray>, rows = 7) =>
  collect(toActivationRows(inChunks(chunks, rows), 'activations'), 2).then(() => expect.fail('it was accepted'), String)

describe('rows come in blocks of one size', () => {
  const inputs: Record<string, MatrixInput | RowBlocksInput> = {
    'in memory': { data: values, rows: 7, cols: 3 },
    'in blocks of one row': cut(3),
    'in blocks of two and three rows': cut(6, 9),
    'in one block': cut(21),
    'in empty blocks too': cut(0, 6, 0, 3),
    'as float64': inChunks(() => [Float64Array.from(values)]),
    'as numbers': inChunks(() => [[...values]]),
    asynchronously: inChunks(async function* () {
      for (let row = 0; row < 7; row++) yield values.slice(row * 3, row * 3 + 3)
    }),
    'from a buffer that is written again': inChunks(function* () {
      const buffer = new Float32Array(3)
      for (let row = 0; row < 7; row++) {
        buffer.set(values.subarray(row * 3, row * 3 + 3))
        yield buffer
      }
    }),
  }
  it.each(Object.entries(inputs))('%s', async (_, input) => {
    const rows = toActivationRows(input, 'activations')
    expect([rows.rows, rows.cols]).toEqual([7, 3])
    for (const rowsPerBlock of [1, 2, 3, 7, 100]) {
      const blocks = await collect(rows, rowsPerBlock)
      expect(blocks.map(({ start }) => start)).toEqual(blocks.map((_, i) => i * rowsPerBlock))
      expect(blocks.slice(0, -1).every(({ data }) => data.length === rowsPerBlock * 3)).toBe(true)
      expect(blocks.flatMap(({ data }) => data)).toEqual([...values])
    }
  })

  it('float16 bit patterns and 64-bit integers are read as what they stand for', async () => {
    const half = toActivationRows(
      inChunks(() => [Uint16Array.of(0x3c00, 0xc000)], 1, 2),
      'x',
    )
    expect(await collect(half, 5)).toEqual([{ start: 0, data: [1, -2] }])
    const wide = toActivationRows(
      inChunks(() => [BigInt64Array.of(3n, -4n)] as unknown as NumberArray[], 1, 2),
      'x',
    )
    expect(await collect(wide, 5)).toEqual([{ start: 0, data: [3, -4] }])
  })

  it('a pass that ends early lets the source clean up', async () => {
    let ended = 0
    const input = inChunks(function* () {
      try {
        for (;;) yield values.slice(0, 3)
      } finally {
        ended++
      }
    })
    for await (const _ of toActivationRows(input, 'x').blocks(2)) break
    expect(ended).toBe(1)
  })
})

describe('what is refused', () => {
  it('a value that is not finite, with its row and column in the whole', async () => {
    expect(await refusal(() => [values.slice(0, 9), Float32Array.of(1, 2, 3, 4, Number.NaN, 6)])).toMatch(
      /activations: row 4, column 1 is NaN/,
    )
    expect(await refusal(() => [values.slice(0, 3), Float64Array.of(1, 2, 3, 1e39, 0, 0)])).toMatch(
      /row 2, column 0 is 1e\+39, which float32 cannot hold/,
    )
    expect(await refusal(() => [[1, 2, null as unknown as number]])).toMatch(/row 0, column 2/)
  })

  it('blocks that are not what was said', async () => {
    expect(await refusal(() => [values.slice(0, 4)])).toMatch(/a block of 4 values, expected whole rows of 3/)
    expect(await refusal(() => [values.slice(0, 18)])).toMatch(/gave fewer than the 7 rows/)
    expect(await refusal(() => [values, values.slice(0, 3)])).toMatch(/gave more than the 7 rows/)
    expect(await refusal(() => ['no'] as unknown as NumberArray[])).toMatch(/data is string, expected a typed array/)
  })

  it('what declares no sizes, or no blocks', () => {
    for (const bad of [
      { rows: 1.5, cols: 2, blocks: () => [] },
      { rows: 1, cols: -2, blocks: () => [] },
      { rows: 1, cols: 2, blocks: 3 },
    ]) {
      expect(() => toActivationRows(bad as unknown as RowBlocksInput, 'activations')).toThrow(
        /activations: got rows .* expected two whole numbers/,
      )
    }
  })
})
