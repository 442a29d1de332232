import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { writeHybrid } from '../../src/io/parquet-hybrid-writer.js'
import { readHybrid } from '../../src/io/parquet-values.js'
import { hybrid } from './make-parquet.js'

test('numbers of every width, with runs of every length, are read as they were written', () => {
  const rng = new Rng(1)
  for (let width = 1; width <= 24; width++) {
    for (const length of [0, 1, 7, 8, 9, 63, 64, 65, 1000]) {
      const values: number[] = []
      while (values.length < length) {
        const run = rng.below(2) ? 1 : 1 + rng.below(20)
        values.push(...new Array<number>(run).fill(rng.below(2 ** width)))
      }
      values.length = length
      expect(Array.from(readHybrid(writeHybrid(values, width), width, length, 'a'))).toEqual(values)
    }
  }
})

test('a run takes no more than its header and its value, however long it is', () => {
  const levels = new Uint8Array(1_000_000).fill(3)
  expect(writeHybrid(levels, 2)).toEqual(hybrid([...levels], 2))
  levels[999_990] = 1
  expect(writeHybrid(levels, 2).length).toBeLessThan(15)
})

test('numbers that never repeat take their bits, and a header for each 504 of them', () => {
  const values = Array.from({ length: 5040 }, (_, index) => index % 7)
  expect(writeHybrid(values, 3).length).toBe((5040 * 3) / 8 + 10)
})
