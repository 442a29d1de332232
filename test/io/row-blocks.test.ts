import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import type { FileArray } from '../../src/io/file-array.js'
import { openNpyRows, readNpy, writeNpyFloat32 } from '../../src/io/npy.js'
import { openNpz } from '../../src/io/npz.js'
import { openParquet } from '../../src/io/parquet.js'
import type { RowBlocks } from '../../src/io/row-blocks.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { collectRows } from '../support/collect-rows.js'
import { refusal } from '../support/refusal.js'
import { makeNpy } from './make-npy.js'
import { type Column, makeParquet, type ParquetOptions } from './make-parquet.js'
import { safetensorsOf } from './make-safetensors.js'
import { makeZip } from './make-zip.js'

const source = (bytes: Uint8Array): ByteSource => memorySource('a', bytes)

/** Passes with blocks of every size, twice each, give what the whole array holds. */
async function expectSameRows(rows: RowBlocks, whole: FileArray, cuts = (size: number) => Math.ceil(rows.rows / size)): Promise<void> {
  expect([rows.rows, rows.cols]).toEqual(whole.shape)
  const { data } = whole
  const wide = data instanceof BigInt64Array || data instanceof BigUint64Array
  const expected = wide ? Float64Array.from(data as ArrayLike<bigint>, Number) : data
  for (const size of [1, 3, 7, rows.rows, rows.rows + 5]) {
    for (let pass = 0; pass < 2; pass++) {
      const { data: got, blocks } = await collectRows(rows, size)
      expect(got).toEqual(expected)
      expect(blocks).toBe(cuts(size))
    }
  }
}

const matrix = Float32Array.from({ length: 10 * 4 }, (_, index) => index * 1.5)
const matrixBytes = writeNpyFloat32(matrix, [10, 4])

test.each([
  [false, 1],
  [true, 2],
])(
  'the rows that follow are read while these are looked at, into memory that the pass has had before (gains by more: %s)',
  async (overlaps, ahead) => {
    const asked: number[] = []
    const bytes = writeNpyFloat32(matrix, [10, 4])
    const { slice } = source(bytes)
    const watched: ByteSource = {
      ...source(bytes),
      overlaps,
      slice: (start, end) => {
        asked.push(start)
        return slice(start, end)
      },
    }
    const pass = (await openNpyRows(watched, 'x')).blocks(3)
    asked.length = 0
    const buffers = new Set<ArrayBufferLike>()
    for (let block = 0; block < 3; block++) {
      const { value } = await pass.next()
      expect(asked).toHaveLength(Math.min(block + 1 + ahead, 4))
      await Promise.resolve()
      expect(value).toEqual(matrix.subarray(12 * block, 12 * block + 12))
      buffers.add((value as Float32Array).buffer)
    }
    expect(buffers.size).toBe(ahead + 1)
    expect((await pass.next()).value).toEqual(matrix.subarray(36))
    expect((await pass.next()).done).toBe(true)
  },
)

test('a pass that ends early leaves no failure of what it read ahead behind', async () => {
  const bytes = writeNpyFloat32(matrix, [10, 4])
  const failing: ByteSource = {
    ...source(bytes),
    slice: async (start, end) => {
      if (start > 200) throw new Error('gone')
      return bytes.subarray(start, end)
    },
  }
  const rows = await openNpyRows(failing, 'x')
  const pass = rows.blocks(5)
  await pass.next()
  await pass.return()
  await new Promise((resolve) => setTimeout(resolve, 5))
  const again = rows.blocks(5)
  await again.next()
  await expect(again.next()).rejects.toThrow('gone')
})

describe('.npy', () => {
  const folder = join(import.meta.dirname, '../fixtures/npy')
  const names = readdirSync(folder).filter((name) => /^(?!S6|U5)\w+-(?:little|big)-[CF]-v\d\.npy$/.test(name))

  test('the fixtures have every number type', () => {
    const types = new Set(names.map((name) => name.split('-')[0]))
    expect(types.size).toBe(12)
  })

  test.each(names)('%s gives the same rows in passes as at once', async (name) => {
    const bytes = readFileSync(join(folder, name))
    await expectSameRows(await openNpyRows(source(bytes), 'x'), await readNpy(source(bytes), 'x'))
  })

  test('only the header is read to open it, and only the rows of a block for a block', async () => {
    const slices: [number, number][] = []
    const inner = source(matrixBytes)
    const counting = {
      ...inner,
      slice: (start: number, end: number) => {
        slices.push([start, end])
        return inner.slice(start, end)
      },
    }
    const rows = await openNpyRows(counting, 'x')
    expect(Math.max(...slices.map(([, end]) => end))).toBe(128)
    slices.length = 0
    await collectRows(rows, 4)
    expect(slices).toEqual([
      [128, 192],
      [192, 256],
      [256, 288],
    ])
  })

  test('a file in Fortran order is read once, at the first pass', async () => {
    const bytes = makeNpy({ order: 'True', shape: '(3, 2)' }, Float32Array.of(1, 3, 5, 2, 4, 6))
    let payloads = 0
    const inner = source(bytes)
    const counting = {
      ...inner,
      slice: (start: number, end: number) => {
        if (end === bytes.length) payloads++
        return inner.slice(start, end)
      },
    }
    const rows = await openNpyRows(counting, 'x')
    expect(payloads).toBe(0)
    for (const size of [1, 2, 9]) expect((await collectRows(rows, size)).data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6))
    expect(payloads).toBe(1)
  })

  test('300 MB are passed over in pieces of at most a block', async () => {
    const [rows, cols] = [600_000, 125]
    const header = makeNpy({ shape: `(${rows}, ${cols})` })
    const byteLength = header.length + rows * cols * 4
    let largest = 0
    const made: ByteSource = {
      name: 'large.npy',
      byteLength,
      async slice(start, end) {
        largest = Math.max(largest, end - start)
        const bytes = new Uint8Array(end - start)
        if (start < header.length) bytes.set(header.subarray(start, end))
        return bytes
      },
    }
    const large = await openNpyRows(made, 'large')
    expect([large.rows, large.cols, byteLength > 300e6]).toEqual([rows, cols, true])
    let [values, largestBlock] = [0, 0]
    for await (const block of large.blocks(4096)) {
      values += block.length
      largestBlock = Math.max(largestBlock, block.length)
    }
    expect([values, largestBlock]).toEqual([rows * cols, 4096 * cols])
    expect(largest).toBeLessThanOrEqual(4096 * cols * 4)
  })

  test.each([
    ['strings', makeNpy({ descr: '|S1', shape: '(3, 1)' }, [65, 66, 67]), 'bad-type'],
    ['three dimensions', writeNpyFloat32(new Float32Array(8), [2, 2, 2]), 'bad-shape'],
    ['no rows', writeNpyFloat32(new Float32Array(0), [0, 2]), 'empty'],
    ['a byte too few', matrixBytes.subarray(0, -1), 'truncated'],
    ['Python objects', makeNpy({ descr: '|O' }, [0x80, 4, 0x4e, 0x2e]), 'object-array'],
  ] as [string, Uint8Array, string][])('a file with %s is refused before any pass', async (_, bytes, code) => {
    expect((await refusal(openNpyRows(source(bytes), 'x'))).code).toBe(code)
  })

  test('blocks of no rows are a mistake', async () => {
    const rows = await openNpyRows(source(matrixBytes), 'x')
    for (const size of [0, -1, 1.5, Number.NaN]) await expect(rows.blocks(size).next()).rejects.toThrow(RangeError)
  })

  test('a pass may be broken off, and the next one begins at row 0', async () => {
    const rows = await openNpyRows(source(matrixBytes), 'x')
    for await (const block of rows.blocks(3)) {
      expect(block).toEqual(matrix.subarray(0, 12))
      break
    }
    expect((await collectRows(rows, 3)).data).toEqual(matrix)
  })

  test('two passes at once do not disturb each other', async () => {
    const rows = await openNpyRows(source(matrixBytes), 'x')
    const [a, b] = await Promise.all([collectRows(rows, 1), collectRows(rows, 4)])
    expect([a.data, b.data]).toEqual([matrix, matrix])
  })
})

describe('.npz', () => {
  test.each([
    ['stored', 0],
    ['compressed', 8],
  ])('a %s member gives the same rows in passes as at once', async (_, method) => {
    const zip = makeZip([
      { name: 'first.npy', data: matrixBytes.subarray(0, 200), method },
      { name: 'x.npy', data: matrixBytes, method },
    ])
    const member = (await openNpz(source(zip))).get('x') as ByteSource
    await expectSameRows(await openNpyRows(member, 'x'), await readNpy(member, 'x'))
  })

  test('a stored member is read by ranges, and its checksum checked at the end of every pass', async () => {
    const zip = makeZip([{ name: 'x.npy', data: matrixBytes, method: 0, crc: 7 }])
    const inner = source(zip)
    let largest = 0
    const counting = {
      ...inner,
      slice: (start: number, end: number) => {
        largest = Math.max(largest, end - start)
        return inner.slice(start, end)
      },
    }
    const member = (await openNpz(counting)).get('x') as ByteSource
    const rows = await openNpyRows(member, 'x')
    largest = 0
    for (let pass = 0; pass < 2; pass++) {
      let blocks = 0
      const reading = (async () => {
        for await (const _ of rows.blocks(4)) blocks++
      })()
      expect((await refusal(reading)).code).toBe('bad-checksum')
      expect(blocks).toBe(2)
    }
    expect(largest).toBe(64)
  })
})

test.each([
  ['F16', Uint16Array.from({ length: 20 }, (_, index) => 0x3c00 + index)],
  ['BF16', Uint16Array.from({ length: 20 }, (_, index) => 0x3f80 + index)],
  ['F32', matrix.subarray(0, 20)],
  ['F64', Float64Array.from(matrix.subarray(0, 20))],
  ['I8', Int8Array.from(matrix.subarray(0, 20))],
  ['I16', Int16Array.from(matrix.subarray(0, 20))],
  ['I32', Int32Array.from(matrix.subarray(0, 20))],
  ['I64', BigInt64Array.from({ length: 20 }, (_, index) => BigInt(index - 3))],
  ['U8', Uint8Array.from(matrix.subarray(0, 20))],
  ['U16', Uint16Array.from(matrix.subarray(0, 20))],
  ['U32', Uint32Array.from(matrix.subarray(0, 20))],
  ['U64', BigUint64Array.from({ length: 20 }, (_, index) => BigInt(index))],
  ['BOOL', Uint8Array.from({ length: 20 }, (_, index) => index % 2)],
] as [string, ArrayBufferView][])('a safetensors matrix of %s gives the same rows in passes as at once', async (dtype, data) => {
  const before = ['U8', [3], Uint8Array.of(7, 8, 9)] as const // so that nothing is aligned
  const array = (await openSafetensors(source(safetensorsOf({ before, x: [dtype, [10, 2], data], flat: [dtype, [20], data] })))).get('x')
  await expectSameRows(await (array as NonNullable<typeof array>).openRows('x'), await (array as NonNullable<typeof array>).readArray('x'))
})

describe('Parquet', () => {
  const rows = Array.from({ length: 10 }, (_, row) => [row, row % 3, 7])
  const lists: Column = { name: 'x', kind: 'float', lists: 1, rows }
  const open = async (column: Column, options?: ParquetOptions) => {
    const array = (await openParquet(source(makeParquet([column], options)))).get('x')
    if (!array) throw new Error('no column x')
    return array
  }

  test.each(['float', 'double', 'float16', 'int32', 'uint32', 'int64'] as const)('lists of %s in every layout', async (kind) => {
    for (const layout of [{}, { version: 2 }, { dictionary: true }, { split: true }] as ParquetOptions[]) {
      for (const groupRows of [1, 4, 10]) {
        const array = await open({ ...lists, kind }, { ...layout, groupRows, pageEntries: 5 })
        const groups = Array.from({ length: Math.ceil(10 / groupRows) }, (_, group) => Math.min(groupRows, 10 - group * groupRows))
        const cuts = (size: number) => groups.reduce((sum, own) => sum + Math.ceil(own / size), 0)
        await expectSameRows(await array.openRows('x'), await array.readArray('x'), cuts)
      }
    }
  })

  test('lists of lists', async () => {
    const nested = await open({ ...lists, lists: 2, rows: rows.map((row) => [row, row]) }, { groupRows: 3 })
    await expectSameRows(await nested.openRows('x'), await nested.readArray('x'), (size) => 3 * Math.ceil(3 / size) + 1)
  })

  test('one row group is in memory at a time', async () => {
    const bytes = makeParquet([lists], { groupRows: 2 })
    const inner = source(bytes)
    const slices: number[] = []
    const counting = {
      ...inner,
      slice: (start: number, end: number) => {
        slices.push(end - start)
        return inner.slice(start, end)
      },
    }
    const array = (await openParquet(counting)).get('x')
    const opened = await (array as NonNullable<typeof array>).openRows('x')
    slices.length = 0
    const pass = opened.blocks(100)
    await pass.next()
    expect(slices).toHaveLength(1)
    await pass.next()
    expect(slices).toHaveLength(2)
    await pass.return()
    expect(Math.max(...slices)).toBeLessThan(bytes.length / 5)
  })

  test.each([
    ['no lists', { ...lists, rows: rows.map(([first]) => first), lists: 0 }, 'bad-shape'],
    ['lists of strings', { ...lists, kind: 'string', rows: [['a', 'b'], ['c']] }, 'bad-type'],
    ['dates', { ...lists, kind: 'date' }, 'unsupported-column'],
    ['no rows', { ...lists, rows: [] }, 'empty'],
    ['lists that cannot be of one length', { ...lists, rows: [[1, 2], [3]] }, 'ragged'],
    ['a list too few', { ...lists, rows: [[1, 2], [3, 4], []] }, 'missing-value'],
  ] as [string, Column, string][])('a column of %s is refused before any pass', async (_, column, code) => {
    expect((await refusal((await open(column)).openRows('x'))).code).toBe(code)
  })

  test.each([
    ['a null list', [[1, 2], null, [3, 4, 5], [6, 7]], 'missing-value', /row 1/],
    [
      'a null in a list',
      [
        [1, 2],
        [3, null],
        [5, 6],
      ],
      'missing-value',
      /row 1/,
    ],
    [
      'lists that are of one length on the average',
      [[1, 2, 3], [4], [5, 6]],
      'ragged',
      /row 1 has 1 values, expected 3 values as in row 0/,
    ],
    ['a longer list', [[1, 2], [3, 4, 5], [6]], 'ragged', /row 1 has more than 2 values/],
  ] as [string, unknown[][], string, RegExp][])(
    '%s shows in a pass, with the message of the whole column',
    async (_, bad, code, message) => {
      for (const groupRows of [1, 2, 5]) {
        const array = await open({ ...lists, rows: bad }, { groupRows })
        const opened = await array.openRows('x')
        const error = await refusal(collectRows(opened))
        expect(error.code).toBe(code)
        expect(error.message).toMatch(message)
        expect((await refusal(array.readArray('x'))).message).toBe(error.message)
      }
    },
  )
})
