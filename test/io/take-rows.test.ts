import { describe, expect, it } from 'vitest'
import { memorySource } from '../../src/io/byte-source.js'
import { chunkBytes } from '../../src/io/chunks.js'
import { type RowBytes, takeRows } from '../../src/io/take-rows.js'
import { readChunks } from '../support/read-chunks.js'
import { concat } from './make-zip.js'

function bytesOf(byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength)
  for (let i = 0; i < byteLength; i++) bytes[i] = i * 31 + (i >> 8)
  return bytes
}

function naive({ outer, rows, inner }: RowBytes, bytes: Uint8Array, rowOf: Uint32Array): Uint8Array {
  return Uint8Array.from(
    Array.from({ length: outer }, (_, slab) =>
      Array.from(rowOf, (row) => [...bytes.subarray((slab * rows + row) * inner, (slab * rows + row + 1) * inner)]),
    ).flat(2),
  )
}

describe('takeRows', () => {
  it.each([
    [1, 6, 4, [0, 2, 3, 5]],
    [1, 6, 4, [0, 1, 2, 3, 4, 5]],
    [1, 6, 4, []],
    [1, 6, 0, [1, 2]],
    [1, 6, 4, [3, 1, 3, 0]],
    [5, 6, 2, [0, 4, 5]],
    [5, 6, 2, [4, 4, 0]],
    [1, 1, 1, [0]],
  ])('outer %d, %d rows, inner %d: rows %j', async (outer, rows, inner, picked) => {
    const bytes = bytesOf(outer * rows * inner)
    const rowOf = Uint32Array.from(picked)
    const array = { source: memorySource('a', concat([Uint8Array.of(9, 9, 9), bytes])), dataStart: 3, outer, rows, inner }
    const taken = takeRows(array, rowOf, 'a')
    const expected = naive(array, bytes, rowOf)
    expect(taken.byteLength).toBe(expected.length)
    expect(await readChunks(taken)).toEqual(expected)
    expect(await readChunks(taken), 'a second time').toEqual(expected)
  })

  it.each([
    ['C', 1, 20, 2 ** 20 + 3],
    ['Fortran', 20, 2 ** 18, 4],
  ])('%s order: more than a chunk at a time, and never more than a chunk in memory', async (_, outer, rows, inner) => {
    const bytes = bytesOf(outer * rows * inner)
    expect(bytes.length).toBeGreaterThan(2 * chunkBytes)
    const rowOf = Uint32Array.from([...Array(rows).keys()]).filter((row) => row % 3 !== 1)
    let largest = 0
    let total = 0
    const memory = memorySource('a', bytes)
    const source = {
      ...memory,
      slice: (start: number, end: number) => {
        largest = Math.max(largest, end - start)
        total += end - start
        return memory.slice(start, end)
      },
    }
    const got = await readChunks(takeRows({ source, dataStart: 0, outer, rows, inner }, rowOf, 'a'))
    expect(total).toBe(bytes.length)
    expect(largest).toBeLessThanOrEqual(chunkBytes)
    let at = 0
    let wrong = 0
    for (let slab = 0; slab < outer; slab++) {
      for (const row of rowOf) {
        const from = (slab * rows + row) * inner
        for (let byte = 0; byte < inner; byte++) if (got[at + byte] !== bytes[from + byte]) wrong++
        at += inner
      }
    }
    expect({ wrong, at }).toEqual({ wrong: 0, at: got.length })
  })
})
