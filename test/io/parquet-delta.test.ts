import { parquetReadObjects } from 'hyparquet'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { Rng } from '../../src/core/rng.js'
import type { ArraySource } from '../../src/io/array-source.js'
import { memorySource } from '../../src/io/byte-source.js'
import { openParquet } from '../../src/io/parquet.js'
import { readDeltaLengthByteArrays } from '../../src/io/parquet-delta.js'
import {
  type Column,
  type DeltaBlocks,
  deltaLengths,
  deltaPacked,
  deltaPrefixes,
  makeParquet,
  type ParquetOptions,
} from './make-parquet.js'
import { concat } from './make-zip.js'

async function open(bytes: Uint8Array): Promise<ArraySource> {
  return (await openParquet(memorySource('t.parquet', bytes))).get('x') as ArraySource
}

const read = async (column: Column, options: ParquetOptions) =>
  (await open(makeParquet([column], options))).readArray('x').then(({ data }) => data)

async function refusal(column: Column, options: ParquetOptions): Promise<InputError> {
  const error = await read(column, options).then(
    () => null,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(InputError)
  return error
}

async function byHyparquet(column: Column, options: ParquetOptions, utf8 = true): Promise<unknown[]> {
  const rows = await parquetReadObjects({ file: makeParquet([column], options).slice().buffer as ArrayBuffer, utf8 })
  return rows.map(({ x }) => x)
}

const bytesOf = (text: string) => new TextEncoder().encode(text)
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const integers = (rows: readonly unknown[]): Column => ({ name: 'x', kind: 'int32', rows, required: true })
const strings = (rows: readonly unknown[]): Column => ({ name: 'x', kind: 'string', rows, required: true })
const layouts: ParquetOptions[] = [{}, { version: 2 }, { groupRows: 300, pageEntries: 70 }, { version: 2, groupRows: 70, pageEntries: 33 }]
const lengths = [0, 1, 2, 31, 32, 33, 127, 128, 129, 130, 1000]

describe('integers', () => {
  const rng = new Rng(5)
  const random = (bits: number) => BigInt.asIntN(bits, (BigInt(rng.below(2 ** 32)) << 32n) | BigInt(rng.below(2 ** 32)))
  const patterns: Readonly<Record<string, (index: number, bits: number) => bigint>> = {
    'all equal': () => -7n,
    'equal steps down': (index) => 1000n - 3n * BigInt(index),
    'small steps both ways': (index) => BigInt((index * 37) % 101) - 50n,
    'least and greatest by turns': (index, bits) => (index % 2 === 0 ? -(2n ** BigInt(bits - 1)) : 2n ** BigInt(bits - 1) - 1n),
    'any bits': (_, bits) => random(bits),
    'one step of all bits among none': (index, bits) => (index === 40 ? 2n ** BigInt(bits - 1) - 1n : -1n),
    'wider and wider steps': (index, bits) => BigInt.asIntN(bits, BigInt.asUintN(bits, random(64)) >> BigInt(bits - 1 - (index % bits))),
  }
  const kinds = { int32: 32, uint32: 32, int64: 64, uint64: 64 } as const
  const blocks: DeltaBlocks[] = [{}, { miniblocks: 1 }, { blockValues: 256, miniblocks: 8 }, { blockValues: 2048, miniblocks: 8 }]

  test.each(Object.entries(patterns))('with %s come back, and hyparquet agrees', async (_, valueAt) => {
    for (const [kind, bits] of Object.entries(kinds) as ['int32' | 'uint32' | 'int64' | 'uint64', 32 | 64][]) {
      const isSigned = kind === 'int32' || kind === 'int64'
      for (const [turn, length] of lengths.entries()) {
        const values = Array.from({ length }, (_, index) => (isSigned ? BigInt.asIntN : BigInt.asUintN)(bits, valueAt(index, bits)))
        const column: Column = { name: 'x', kind, rows: bits === 64 ? values : values.map(Number), required: turn % 2 === 0 }
        const options: ParquetOptions = {
          delta: 6,
          deltaBlocks: blocks[turn % blocks.length] as DeltaBlocks,
          ...layouts[(turn >> 1) % layouts.length],
        }
        const data = await read(column, options)
        expect(Array.from(data as ArrayLike<number | bigint>, BigInt)).toEqual(values)
        if (length > 0) expect((await byHyparquet(column, options)).map((value) => BigInt(value as number))).toEqual(values)
      }
    }
  })

  test('of every width of bits come back', async () => {
    for (let width = 0; width <= 64; width++) {
      const top = width === 0 ? 0n : 2n ** BigInt(width - 1)
      let sum = 0n
      const values = Array.from({ length: 40 }, (_, index) => {
        sum = BigInt.asIntN(64, sum + (index % 3 === 0 ? 0n : top | (BigInt.asUintN(width, random(64)) >> 1n)))
        return sum
      })
      const column: Column = { name: 'x', kind: 'int64', rows: values }
      expect(Array.from((await read(column, { delta: 6 })) as BigInt64Array)).toEqual(values)
    }
  })

  test('of 32 bits come back from deltas of 33, as some writers have them', async () => {
    const values = [2147483647, -2147483648, 2147483647, 0, -2147483648, -1]
    expect(await read(integers(values), { delta: 6, deltaBlocks: { bits: 64 } })).toEqual(Int32Array.from(values))
  })

  test('are read from where nulls are, and from pages of nothing else', async () => {
    const rows = [null, 'a', null, 'b', null, null, null, null, 'abc', null]
    for (const delta of [6, 7] as const) {
      const { readTexts } = await open(makeParquet([{ ...strings(rows), required: false }], { delta, pageEntries: 4 }))
      expect(await readTexts?.('x')).toEqual(rows.map((row) => row ?? ''))
    }
    for (const encoding of [3, 5, 6, 7]) {
      const kind = encoding === 3 ? 'bool' : encoding === 5 ? 'int32' : 'string'
      const error = await refusal({ name: 'x', kind, rows: [null, null] }, { encoding, body: new Uint8Array(0) })
      expect(error.code).toBe('missing-value')
    }
  })
})

describe('the examples of the specification, in blocks of 128', () => {
  const five = '80 01 01 05 02 02 00'
  const eight = '80 01 04 08 0e 03 02 00 00 00 c0 3f 00 00 00 00 00 00'
  test.each([
    ['1, 2, 3, 4, 5', integers([1, 2, 3, 4, 5]), five],
    ['7, 5, 3, 1, 2, 3, 4, 5', integers([7, 5, 3, 1, 2, 3, 4, 5]), eight],
    ['the same with padding of any bits', integers([7, 5, 3, 1, 2, 3, 4, 5]), '80 01 04 08 0e 03 02 ff 41 c8 c0 ff ff ff ff ff ff ff'],
    ['the same without padding', integers([7, 5, 3, 1, 2, 3, 4, 5]), '80 01 04 08 0e 03 02 00 00 00 c0 3f'],
    ['one value', integers([-3]), '80 01 04 01 05'],
    [
      'Hello, World, Foobar, ABCDEF',
      strings(['Hello', 'World', 'Foobar', 'ABCDEF']),
      `80 01 04 04 0a 00 01 00 00 00 02 00 00 00 ${Buffer.from('HelloWorldFoobarABCDEF').toString('hex')}`,
    ],
    [
      'axis, axle, babble, babyhood',
      strings(['axis', 'axle', 'babble', 'babyhood']),
      `80 01 04 04 00 03 03 00 00 00 44 01 ${'00'.repeat(10)} 80 01 04 04 08 03 03 00 00 00 70 ${'00'.repeat(11)}
       ${Buffer.from('axislebabbleyhood').toString('hex')}`.replaceAll(/\s/g, ''),
    ],
  ] as [string, Column, string][])('%s', async (_, column, body) => {
    const encoding = column.kind === 'int32' ? 5 : column.rows[0] === 'axis' ? 7 : 6
    expect(Array.from((await read(column, { encoding, body: hex(body) })) as ArrayLike<unknown>)).toEqual(column.rows)
  })

  test('are what the writer of these tests writes', () => {
    expect(deltaPacked([1, 2, 3, 4, 5], { miniblocks: 1 })).toEqual(hex(five))
    expect(deltaPacked([7, 5, 3, 1, 2, 3, 4, 5])).toEqual(hex(eight))
  })
})

describe('byte arrays', () => {
  const long = 'https://example.org/a/very/long/prefix/'.repeat(20)
  const cases: Readonly<Record<string, (index: number) => string>> = {
    'all empty': () => '',
    'all equal': () => 'stop',
    'empty ones among others': (index) => (index % 3 === 0 ? '' : `sign ${index}`),
    'long shared prefixes': (index) => `${long}${index}`,
    'shorter and shorter prefixes': (index) => long.slice(index % 700),
    'prefixes that end inside of a character': (index) => (index % 2 === 0 ? 'é' : 'è'),
  }

  test.each(Object.entries(cases))('that are %s come back, and hyparquet agrees', async (_, valueAt) => {
    for (const [turn, length] of lengths.entries()) {
      const rows = Array.from({ length }, (_, index) => valueAt(index))
      for (const delta of [6, 7] as const) {
        const options: ParquetOptions = { delta, ...layouts[turn % layouts.length] }
        expect(await read(strings(rows), options)).toEqual(rows)
        if (length > 0) expect(await byHyparquet(strings(rows), options)).toEqual(rows)
      }
    }
  })

  test('may be the files of pictures', async () => {
    const png = (index: number) => Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, index, 0xff, index)
    const rows = Array.from({ length: 9 }, (_, index) => (index === 4 ? null : png(index >> 1)))
    const column: Column = { name: 'x', kind: 'binary', rows }
    for (const delta of [6, 7] as const) {
      for (const version of [1, 2] as const) {
        const options: ParquetOptions = { delta, version, groupRows: 7, pageEntries: 3 }
        const images = await (await open(makeParquet([column], options))).openImages?.('x')
        for (const [index, row] of rows.entries()) {
          const image = images?.read(index)
          if (row) expect(await image).toEqual({ kind: 'encoded', mediaType: 'image/png', data: row })
          else await expect(image).rejects.toMatchObject({ code: 'missing-value' })
        }
        expect((await byHyparquet(column, options, false)).map((row) => row ?? null)).toEqual(rows)
      }
    }
  })

  test('of two bytes may be halves', async () => {
    const rows = Array.from({ length: 40 }, (_, row) => [row, 0x3c00, 0x3c00 + row])
    const data = await read({ name: 'x', kind: 'float16', lists: 1, rows }, { delta: 7, version: 2 })
    expect(data).toEqual(Uint16Array.from(rows.flat()))
    const body = deltaPrefixes([bytesOf('ab'), bytesOf('abc')])
    const error = await refusal({ name: 'x', kind: 'float16', rows: [1, 2] }, { encoding: 7, body })
    expect(error.message).toMatch(/a value has 3 bytes, expected 2/)
  })

  test('that are one value over and over take no memory of their own', async () => {
    const length = 20_000
    const body = concat([
      deltaPacked(Array.from({ length }, (_, index) => (index === 0 ? 0 : 65_536))),
      deltaLengths(Array.from({ length }, (_, index) => new Uint8Array(index === 0 ? 65_536 : 0).fill(0x61))),
    ])
    const file = makeParquet([strings(Array.from({ length }, () => ''))], { encoding: 7, body })
    const before = process.memoryUsage().heapUsed
    const data = (await (await open(file)).readArray('x')).data as string[]
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(200e6) // 1.3 GB if each were a string of its own
    expect(data).toHaveLength(length)
    expect(data.every((value) => value === data[0])).toBe(true)
    expect(data[0]).toBe('a'.repeat(65_536))
    const [first, second] = readDeltaLengthByteArrays(deltaPacked([0, 0]), 2, 'x')
    expect(first).toBe(second)
  })

  test('may not repeat prefixes without end, in one page or many', async () => {
    const growing = (length: number) =>
      concat([
        deltaPacked(Array.from({ length }, (_, index) => (index === 0 ? 0 : length + index - 1))),
        deltaLengths(Array.from({ length }, (_, index) => new Uint8Array(index === 0 ? length : 1).fill(0x61))),
      ])
    const page: ParquetOptions = { encoding: 7, body: growing(4096) }
    const column = (length: number) => strings(Array.from({ length }, () => ''))
    expect((await read(column(4096), page)).at(-1)).toBe('a'.repeat(8191))
    const error = await refusal(column(3 * 4096), { ...page, pageEntries: 4096 })
    expect(error.code).toBe('too-large')
    expect(error.message).toMatch(/declares \d+ bytes unpacked from \d+, expected at most 1100 : 1/)
    const shrinking = concat([
      deltaPacked(Array.from({ length: 10_000 }, (_, index) => (index === 0 ? 0 : 10_000 - index))),
      deltaLengths(Array.from({ length: 10_000 }, (_, index) => new Uint8Array(index === 0 ? 10_000 : 0).fill(0x61))),
    ])
    expect((await refusal(column(10_000), { encoding: 7, body: shrinking })).code).toBe('too-large')
  })
})

describe('lies are refused', () => {
  const three = integers([1, 2, 3])
  const words = strings(['ab', 'cd', 'ef'])
  const good = hex('80 01 04 03 02 02 00 00 00 00')
  const withLengths = (...sizes: number[]) => concat([deltaPacked(sizes), bytesOf('abcdef')])
  const withPrefixes = (...prefixes: number[]) =>
    concat([deltaPacked(prefixes), deltaLengths(words.rows.map((word) => bytesOf(word as string)))])
  test.each([
    ['no bytes at all', three, 5, '', /ends inside its deltas/],
    ['more values than there are', three, 5, '80 01 04 04 02 02 00 00 00 00', /declares 4 deltas for 3 values/],
    ['2³² − 1 values', three, 5, '80 01 04 ff ff ff ff 0f 02 02 00 00 00 00', /declares 4294967295 deltas for 3 values/],
    ['no values', three, 5, '80 01 04 00 02', /declares 0 deltas for 3 values/],
    ['blocks of no values', three, 5, '00 04 03 02 02 00 00 00 00', /blocks of 0 deltas, expected a multiple of 128/],
    ['blocks of 8', three, 5, '08 01 03 02 02 00', /blocks of 8 deltas/],
    ['blocks of 192', three, 5, 'c0 01 04 03 02 02 00 00 00 00', /blocks of 192 deltas/],
    ['blocks of 2³¹', three, 5, '80 80 80 80 08 01 03 02 02 00', /blocks of 2147483648 deltas/],
    ['no miniblocks', three, 5, '80 01 00 03 02 02', /0 miniblocks in a block of 128/],
    ['miniblocks of 16', three, 5, '80 01 08 03 02 02 00 00 00 00 00 00 00 00', /8 miniblocks in a block of 128/],
    ['miniblocks of a third', three, 5, '80 01 03 03 02 02 00 00 00', /3 miniblocks/],
    ['2³² − 1 miniblocks', three, 5, '80 01 ff ff ff ff 0f 03 02 02 00', /4294967295 miniblocks/],
    ['deltas of 200 bits', three, 5, '80 01 04 03 02 02 c8 00 00 00 00 00', /deltas of 200 bits, expected at most 64/],
    ['deltas of 65 bits', three, 5, `80 01 04 03 02 02 41 00 00 00 ${'00'.repeat(260)}`, /deltas of 65 bits/],
    ['widths that are missing', three, 5, '80 01 04 03 02 02 00 00', /ends inside its deltas/],
    ['bits that are missing', three, 5, '80 01 04 03 02 02 20 00 00 00 01 02 03 04 05 06 07', /ends inside its deltas/],
    ['a number without end', three, 5, `80 01 04 03 ${'ff'.repeat(40)}`, /more than 64 bits/],
    ['a number of 65 bits', three, 5, '80 01 04 03 ff ff ff ff ff ff ff ff ff 02 00 00 00 00 00', /more than 64 bits/],
    ['deltas of floats', { ...three, kind: 'float' }, 5, good, /integer deltas of float32/],
    ['deltas of strings', words, 5, good, /integer deltas of string/],
    ['byte arrays of integers', three, 6, withLengths(2, 2, 2), /byte arrays of int32/],
    ['a negative length', words, 6, withLengths(2, -1, 2), /a value of -1 bytes/],
    ['a length beyond the page', words, 6, withLengths(2, 2, 3), /reaches beyond its page/],
    ['a length of 2³¹ − 1', words, 6, withLengths(2147483647, 2147483647, 2), /reaches beyond its page/],
    ['a prefix of nothing', words, 7, withPrefixes(1, 0, 0), /shares 1 bytes with the one before, which has 0/],
    ['a prefix longer than the value before', words, 7, withPrefixes(0, 2, 5), /shares 5 bytes with the one before, which has 4/],
    ['a negative prefix', words, 7, withPrefixes(0, -1, 0), /shares -1 bytes/],
    ['no suffixes', words, 7, deltaPacked([0, 0, 0]), /ends inside its deltas/],
    ['integers in runs', three, 3, '02 00 00 00 06 01', null],
    ['an encoding that there is not', three, 77, good, null],
  ] as [string, Column, number, string | Uint8Array, RegExp | null][])('%s', async (_, column, encoding, body, message) => {
    for (const version of [1, 2] as const) {
      const error = await refusal(column, { encoding, version, body: typeof body === 'string' ? hex(body) : body })
      expect(error.code).toBe(message ? 'bad-parquet' : 'unsupported-encoding')
      expect(error.message).toMatch(message ?? /expected PLAIN, a dictionary, BYTE_STREAM_SPLIT, a DELTA one or RLE \(booleans\)/)
    }
  })

  test('bytes that break off anywhere', async () => {
    const values = Array.from({ length: 161 }, (_, index) => (index * 7919) % 1000)
    const texts = values.map((value) => `sign ${value}`)
    for (const [column, encoding, body] of [
      [integers(values), 5, deltaPacked(values)],
      [strings(texts), 6, deltaLengths(texts.map(bytesOf))],
      [strings(texts), 7, deltaPrefixes(texts.map(bytesOf))],
    ] as [Column, number, Uint8Array][]) {
      expect(await read(column, { encoding, body })).toHaveLength(161)
      for (let cut = 0; cut < body.length; cut++) {
        expect((await refusal(column, { encoding, body: body.subarray(0, cut) })).code).toBe('bad-parquet')
      }
    }
  })

  test('more than 1,024 values a byte', async () => {
    const rows = Array.from({ length: 65_537 }, () => 5)
    const body = deltaPacked(rows, { blockValues: 65_536, miniblocks: 1 })
    const error = await refusal(integers(rows), { encoding: 5, body })
    expect(error.code).toBe('bad-parquet')
    expect(error.message).toMatch(/a page of 10 bytes declares 65537 values, expected at most 1024 a byte/)
    expect(await read(integers(rows), { encoding: 5, body: deltaPacked(rows, { blockValues: 2048, miniblocks: 8 }) })).toHaveLength(65_537)
  })
})

describe('booleans in runs', () => {
  const flags = (rows: readonly unknown[]): Column => ({ name: 'x', kind: 'bool', rows })
  const rows = Array.from({ length: 50 }, (_, index) => index % 7 === 0 || index > 20)

  test('come back from pages of either version, and hyparquet agrees', async () => {
    for (const layout of layouts) {
      const options: ParquetOptions = { ...layout, delta: 6 }
      expect(await read(flags(rows), options)).toEqual(Uint8Array.from(rows, Number))
      expect(await byHyparquet(flags(rows), options)).toEqual(rows)
    }
  })

  test.each([
    ['a length beyond the page', '03 00 00 00 08 01', /booleans of a page reach beyond it/],
    ['a length that cuts a run', '01 00 00 00 08 01', /ends inside its levels or indices/],
    ['no length', '08 01', /ends before its values/],
    ['a run beyond the values', '02 00 00 00 0a 01', /a run beyond its values/],
  ])('with %s are refused', async (_, body, message) => {
    for (const version of [1, 2] as const) {
      const error = await refusal(flags([true, true, true, true]), { encoding: 3, version, body: hex(body) })
      expect(error.message).toMatch(message)
    }
    expect(await read(flags([true, true, true, true]), { encoding: 3, body: hex('02 00 00 00 08 01') })).toEqual(Uint8Array.of(1, 1, 1, 1))
  })
})
