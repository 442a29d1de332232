import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, describe, expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { memorySource } from '../../src/io/byte-source.js'
import { crc32 } from '../../src/io/crc32.js'
import { loadAudit } from '../../src/io/load.js'
import { openAudit } from '../../src/io/node-open-audit.js'
import { openParquet } from '../../src/io/parquet.js'
import { readSet } from '../support/collect-rows.js'
import { refusal } from '../support/refusal.js'
import { type Column, hybrid, makeParquet, type ParquetOptions, parquetWith, thriftBytes } from './make-parquet.js'

const temporary = mkdtempSync(join(tmpdir(), 'assay-parquet-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const source = (bytes: Uint8Array) => memorySource('t.parquet', bytes)

async function readColumn(bytes: Uint8Array, name = 'x') {
  const column = (await openParquet(source(bytes))).get(name)
  return column?.readArray(name)
}

const rows = [
  [1, 2, 3],
  [4, 5, 6],
  [7, 8, 9],
  [1, 2, 3],
  [4, 5, 6],
]
const lists: Column = { name: 'x', kind: 'float', lists: 1, rows }

test.each([
  ['float lists', lists, 'float32', Float32Array.from(rows.flat()), [5, 3]],
  ['double lists', { ...lists, kind: 'double' }, 'float64', Float64Array.from(rows.flat()), [5, 3]],
  ['half lists', { ...lists, kind: 'float16' }, 'float16', Uint16Array.from(rows.flat()), [5, 3]],
  ['lists that may not be null', { ...lists, required: true }, 'float32', Float32Array.from(rows.flat()), [5, 3]],
  [
    'lists of lists',
    {
      ...lists,
      lists: 2,
      rows: [
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [7, 8],
        ],
      ],
    },
    'float32',
    Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    [2, 4],
  ],
  ['lists of one value', { ...lists, rows: [[1], [2]] }, 'float32', Float32Array.of(1, 2), [2, 1]],
  ['booleans', { name: 'x', kind: 'bool', rows: [true, false, true] }, 'bool', Uint8Array.of(1, 0, 1), [3]],
  ['integers', { name: 'x', kind: 'int32', rows: [5, -7, 5] }, 'int32', Int32Array.of(5, -7, 5), [3]],
  ['unsigned integers', { name: 'x', kind: 'uint32', rows: [4294967295] }, 'uint32', Uint32Array.of(4294967295), [1]],
  ['wide integers', { name: 'x', kind: 'int64', rows: [2n ** 60n, -1n] }, 'int64', BigInt64Array.of(2n ** 60n, -1n), [2]],
  ['strings', { name: 'x', kind: 'string', rows: ['stop', '', 'é'] }, 'string', ['stop', '', 'é'], [3]],
  ['a column that may not be null', { name: 'x', kind: 'int32', rows: [5, 7], required: true }, 'int32', Int32Array.of(5, 7), [2]],
] as [string, Column, string, unknown, number[]][])('%s are read, in every layout', async (_, column, dtype, data, shape) => {
  const layouts: ParquetOptions[] = [{}, { version: 2 }, { dictionary: true }, { dictionary: true, version: 2 }]
  for (const delta of [6, 7] as const) layouts.push({ delta }, { delta, version: 2 })
  if (!['bool', 'string'].includes(column.kind)) layouts.push({ split: true })
  for (const layout of layouts) {
    if (column.kind === 'bool' && layout.dictionary) continue
    for (const size of [{}, { groupRows: 1 }, { groupRows: 2, pageEntries: 2 }]) {
      expect(await readColumn(makeParquet([column], { ...layout, ...size }))).toEqual({ dtype, shape, data })
    }
  }
})

test('what is written here is what hyparquet reads', async () => {
  const columns: Column[] = [lists, { name: 'label', kind: 'string', rows: ['a', 'b', 'a', 'c', 'b'] }]
  for (const options of [{}, { version: 2, pageEntries: 4 }, { dictionary: true, groupRows: 2 }, { delta: 7 }] as ParquetOptions[]) {
    const path = join(temporary, 'a.parquet')
    writeFileSync(path, makeParquet(columns, options))
    const got = await parquetReadObjects({ file: await asyncBufferFromFile(path) })
    expect(got.map(({ x, label }) => [Array.from(x as number[]), label])).toEqual(rows.map((row, index) => [row, columns[1]?.rows[index]]))
  }
})

test('so is a struct of bytes and a path, as Hugging Face writes pictures', async () => {
  const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
  const columns: Column[] = [
    { name: 'bytes', kind: 'binary', within: 'image', rows: [png, null, undefined] },
    { name: 'path', kind: 'string', within: 'image', rows: ['a.png', 'b.png', undefined] },
    { name: 'label', kind: 'int32', rows: [5, 7, 5] },
  ]
  for (const options of [{}, { version: 2, groupRows: 2 }] as ParquetOptions[]) {
    const path = join(temporary, 'c.parquet')
    writeFileSync(path, makeParquet(columns, options))
    const got = await parquetReadObjects({ file: await asyncBufferFromFile(path), utf8: false })
    expect(got.map(({ image, label }) => [image?.bytes ?? null, image?.path ?? null, label])).toEqual([
      [png, 'a.png', 5],
      [null, 'b.png', 7],
      [null, null, 5],
    ])
  }
})

test('compressed pages are unpacked, and their checksums checked', async () => {
  const expected = Float32Array.from(rows.flat())
  const literal = (bytes: Uint8Array) => Uint8Array.from([bytes.length, 60 << 2, bytes.length - 1, ...bytes]) // snappy: one literal
  for (const [codec, compress] of [
    [2, gzipSync],
    [6, zstdCompressSync],
    [1, literal],
  ] as [number, (bytes: Uint8Array) => Uint8Array][]) {
    for (const version of [1, 2] as const) {
      expect((await readColumn(makeParquet([lists], { codec, compress, version, crc: crc32 })))?.data).toEqual(expected)
    }
  }
  expect((await refusal(readColumn(makeParquet([lists], { crc: () => 7 })))).code).toBe('bad-checksum')
})

describe('as an audit', () => {
  const activations: Column = { ...lists, name: 'activations' }
  const labels: Column = { name: 'label', kind: 'int64', rows: [5, 7, 5, 5, 7] }
  const preds: Column = { name: 'preds', kind: 'int32', rows: [5, 7, 5, 5, 5] }
  const other: Column = { name: 'when', kind: 'date', rows: [1, 2, 3, 4, 5] }

  test('activations and labels go by their names, and other columns do not matter', async () => {
    const { set, values } = await readSet(loadAudit(source(makeParquet([other, labels, activations, preds], { groupRows: 2 }))))
    expect([...values]).toEqual(rows.flat())
    expect(set.classes.map(({ label, rows }) => [label, rows])).toEqual([
      [5, 3],
      [7, 2],
    ])
    expect([...(set.predictions ?? [])]).toEqual([0, 1, 0, 0, 0])
  })

  test('or by the names that are given', async () => {
    const bytes = makeParquet([lists, { ...labels, name: 'sign' }])
    expect((await loadAudit(source(bytes), {}, { activations: 'x', labels: 'sign' })).labels).toHaveLength(5)
    const { message } = await refusal(loadAudit(source(bytes)))
    expect(message).toMatch(/holds x, sign, expected activations and labels too; .*--activations-column, --label-column/)
  })

  test('a file is hashed as a whole', async () => {
    const bytes = makeParquet([activations, labels])
    const path = join(temporary, 'b.parquet')
    writeFileSync(path, bytes)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect((await (await openAudit(path)).origin()).files).toEqual([{ name: 'b.parquet', sha256 }])
  })

  test('activations that are no lists are refused', async () => {
    const flat: Column = { name: 'activations', kind: 'float', rows: [1, 2, 3, 4, 5] }
    expect((await refusal(loadAudit(source(makeParquet([flat, labels]))))).code).toBe('bad-shape')
    const bad = await refusal(loadAudit(source(makeParquet([{ ...other, name: 'activations' }, labels]))))
    expect(bad.message).toMatch(/activations \(t\.parquet:activations\): is a column of dates, times or decimals/)
  })
})

test.each([
  ['a null list', { ...lists, rows: [[1], null] }, {}, 'missing-value', /row 1 is or holds a null or an empty list/],
  ['an empty list', { ...lists, rows: [[1], [2], []] }, {}, 'missing-value', /row 2/],
  [
    'a null in a list',
    {
      ...lists,
      rows: [
        [1, 2],
        [2, null],
      ],
    },
    {},
    'missing-value',
    /row 1/,
  ],
  ['a null', { name: 'x', kind: 'int32', rows: [1, 2, null] }, { groupRows: 1 }, 'missing-value', /row 2 is or holds null/],
  ['a shorter list', { ...lists, rows: [[1, 2], [3, 4], [5]] }, { groupRows: 2 }, 'ragged', /row 2 has 1 values, expected 2/],
  [
    'a longer list',
    {
      ...lists,
      rows: [
        [1, 2],
        [3, 4, 5],
      ],
    },
    {},
    'ragged',
    /row 1 has more than 2 values/,
  ],
  ['ragged inner lists', { ...lists, lists: 2, rows: [[[1, 2], [3]]] }, {}, 'ragged', /row 0 has inner lists of several lengths/],
  [
    'inner lists unlike row 0',
    {
      ...lists,
      lists: 2,
      rows: [
        [
          [1, 2],
          [3, 4],
        ],
        [[1], [2, 3, 4]],
      ],
    },
    {},
    'ragged',
    /row 1 has inner lists/,
  ],
  ['fewer rows than declared', lists, { numRows: 6 }, 'bad-parquet', /declares 6 rows, but its row groups have 5/],
  ['more values than bytes can hold', lists, { numValues: 1e9 }, 'too-large', /declares 1000000000 values/],
  ['fewer values than declared', lists, { numValues: 16 }, 'bad-parquet', /ends before its values/],
  ['more values than declared', lists, { numValues: 14 }, 'bad-parquet', /more values than it declares/],
  ['a page of another size', lists, { pageSize: 7 }, 'bad-parquet', /two sizes/],
  [
    'a page that unpacks without end',
    lists,
    { codec: 6, compress: zstdCompressSync, pageSize: 1e9 },
    'too-large',
    /1000000\d* bytes unpacked/,
  ],
  ['a page that unpacks to less', lists, { codec: 6, compress: zstdCompressSync, pageSize: 200 }, 'bad-parquet', /another size|damaged/],
  ['a damaged page', lists, { codec: 6, compress: (bytes: Uint8Array) => bytes }, 'bad-parquet', /damaged/],
  ['a column outside of the data', lists, { chunkOffset: 1e6 }, 'bad-parquet', /outside of the data/],
  ['a run beyond its page', lists, { levels: Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 0) }, 'bad-parquet', /a run beyond/],
  ['levels that end early', lists, { levels: hybrid([0, 1, 1], 1) }, 'bad-parquet', /levels/],
  ['values that end early', lists, { body: new Uint8Array(59) }, 'bad-parquet', /ends before its values/],
  ['indices beyond the dictionary', lists, { dictionary: true, body: Uint8Array.of(4, 30, 15) }, 'bad-parquet', /does not hold/],
  ['no first value', lists, { levels: Uint8Array.of(30, 1) }, 'ragged', /no beginning/],
  ['LZO', lists, { codec: 3 }, 'unsupported-compression', /LZO/],
  ['bad UTF-8', { name: 'x', kind: 'string', rows: ['a'] }, { body: Uint8Array.of(1, 0, 0, 0, 0xff) }, 'bad-string', /UTF-8/],
  [
    'a string beyond its page',
    { name: 'x', kind: 'string', rows: ['a'] },
    { body: Uint8Array.of(255, 255, 255, 255) },
    'bad-parquet',
    /beyond/,
  ],
  ['the same column twice', lists, { twice: true }, 'duplicate-name', /two columns 'x'/],
] as [string, Column, ParquetOptions & { twice?: boolean }, string, RegExp][])(
  'a file with %s is refused',
  async (_, column, options, code, message) => {
    const error = await refusal(readColumn(makeParquet(options.twice ? [column, column] : [column], options)))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  },
)

test('a footer that is missing, crafted or longer than the file is refused', async () => {
  const good = makeParquet([lists])
  expect((await refusal(readColumn(good.subarray(0, -1)))).message).toMatch(/footer is missing/)
  const long = good.slice()
  long.fill(0xff, long.length - 8, long.length - 4)
  expect((await refusal(readColumn(long))).message).toMatch(/declares a footer of 4294967295 bytes/)
  const deep = Uint8Array.from({ length: 100_000 }, () => 0x1c) // a struct in a struct …
  expect((await refusal(readColumn(parquetWith(new Uint8Array(0), deep)))).message).toMatch(/structs too deep/)
  const listOf = Uint8Array.of(0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07) // a list of 2³¹ structs
  expect((await refusal(readColumn(parquetWith(new Uint8Array(0), listOf)))).message).toMatch(/a length of 2147483647/)
  const encrypted = thriftBytes({ struct: { 8: { struct: {} } } })
  expect((await refusal(readColumn(parquetWith(new Uint8Array(0), encrypted)))).code).toBe('encrypted')
})

test('a footer that breaks off anywhere is refused', async () => {
  const good = makeParquet([lists])
  for (let cut = 1; cut < 120; cut++) {
    const footer = good.subarray(good.length - 8 - cut, good.length - 8)
    await refusal(openParquet(source(parquetWith(good.subarray(4, 40), footer.subarray(0, cut - 1)))))
  }
})

describe('files of other writers', () => {
  const folder = join(import.meta.dirname, '../fixtures/parquet')
  /** How many columns of a file are read, and what is said of the others. */
  const expected: Readonly<Record<string, readonly [number, ...string[]]>> = {
    'brotli_compressed.parquet': [3],
    'byte_stream_split.zstd.parquet': [2],
    'concatenated_gzip_members.parquet': [1],
    'datapage_v2.snappy.parquet': [3, 'missing-value', 'missing-value'],
    'hadoop_lz4_compressed.parquet': [3],
    'lz4_raw_compressed.parquet': [3],
    'plain-dict-uncompressed-checksum.parquet': [2],
    'rowgroups.parquet': [1],
    'signs.parquet': [8],
    'strings.parquet': [3],
  }
  const names = readdirSync(folder).filter((name) => name.endsWith('.parquet'))
  const plain = (values: Iterable<unknown>) => [...values].map((value) => (typeof value === 'string' ? value : Number(value)))

  test.each(names)('%s holds what hyparquet reads there', async (name) => {
    const bytes = new Uint8Array(readFileSync(join(folder, name)))
    const reference = await parquetReadObjects({ file: await asyncBufferFromFile(join(folder, name)), compressors })
    const refused: string[] = []
    let read = 0
    for (const [column, array] of await openParquet(source(bytes))) {
      try {
        const { data, shape } = await array.readArray(column)
        expect(shape[0]).toBe(reference.length)
        expect(plain(data as Iterable<unknown>)).toEqual(plain(reference.flatMap((row) => row[column])))
        read++
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        refused.push(error.code)
      }
    }
    expect([read, ...refused]).toEqual(expected[name])
  })
})
