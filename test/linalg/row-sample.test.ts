import { expect, it } from 'vitest'
import { rowsInMemory } from '../../src/core/activation-rows.js'
import { Rng } from '../../src/core/rng.js'
import { gatherRows } from '../../src/linalg/row-sample.js'
import { drawSome } from '../../src/stats/draws.js'

it('draws without replacement, the same for the same stream, all as they are where there are no more', () => {
  const from = Uint32Array.from({ length: 50 }, (_, i) => 100 + i)
  const drawn = drawSome(from, 20, new Rng(1))
  expect(new Set(drawn).size).toBe(20)
  expect(drawn.every((value) => value >= 100 && value < 150)).toBe(true)
  expect(drawSome(from, 20, new Rng(1))).toEqual(drawn)
  expect(drawSome(from, 20, new Rng(2))).not.toEqual(drawn)
  expect(drawSome(from, 50, new Rng(1))).toEqual(from)
  expect(from[0]).toBe(100)
})

it('gathers rows in the order asked for, over block borders, also twice', async () => {
  const cols = 3
  const rows = 11
  const data = Float32Array.from({ length: rows * cols }, (_, at) => Math.floor(at / cols))
  const wanted = Uint32Array.of(10, 0, 7, 7, 3, 4)
  const out = await gatherRows(rowsInMemory({ data, rows, cols }).blocks(4), wanted, cols)
  expect(Array.from(wanted, (_, i) => out[i * cols + cols - 1])).toEqual([...wanted])
})
