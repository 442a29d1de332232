import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { describe, expect, it, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { loadAudit } from '../../src/io/load.js'
import { openParquet } from '../../src/io/parquet.js'
import { cleanParquetBundle, cleanParquetPictures } from '../../src/sanitize/clean-parquet.js'
import { damage } from '../fuzz/parsers.js'
import { type Column, makeParquet, type ParquetOptions } from '../io/make-parquet.js'
import { concat } from '../io/make-zip.js'
import { refusal } from '../support/refusal.js'

interface Choice {
  readonly rows: number
  readonly keep: readonly number[]
  /** Where not every row keeps its own label. */
  readonly labelRows?: readonly number[]
  readonly labelColumn?: string
  readonly replaced?: readonly string[]
}

async function clean(bytes: Uint8Array, { rows, keep, labelRows = keep, labelColumn, replaced = [] }: Choice): Promise<Uint8Array> {
  const choice = { rows, keep: Uint32Array.from(keep), labelRows: Uint32Array.from(labelRows) }
  const source = memorySource('t.parquet', bytes)
  const { chunks, leftOut } = await cleanParquetBundle(source, { choice, columns: { labels: labelColumn }, replaced: new Set(replaced) })
  expect(leftOut).toEqual([])
  const parts: Uint8Array[] = []
  for await (const part of chunks?.read() ?? []) parts.push(part.slice())
  return concat(parts)
}

const asBuffer = (bytes: Uint8Array) => bytes.slice().buffer as ArrayBuffer
const objectsIn = (bytes: Uint8Array) => parquetReadObjects({ file: asBuffer(bytes), compressors, utf8: false })
const pick = <T>(values: readonly T[], of: readonly number[]) => of.map((row) => values[row] as T)
/** What a reader of somebody else's finds in the output, beside what it finds in the input. */
async function expectRows(input: Uint8Array, keep: readonly number[], output: Uint8Array): Promise<void> {
  expect(await objectsIn(output)).toEqual(pick(await objectsIn(input), keep))
  const [before, after] = [parquetMetadata(asBuffer(input)), parquetMetadata(asBuffer(output))]
  expect(after.schema).toEqual(before.schema)
  expect(after.key_value_metadata).toEqual(before.key_value_metadata)
}

const n = 24
const each = <T>(make: (row: number) => T) => Array.from({ length: n }, (_, row) => make(row))
const some = <T>(make: (row: number) => T) => each((row) => (row % 5 === 2 ? null : make(row)))
const columns: readonly Column[] = [
  { name: 'flag', kind: 'bool', rows: some((row) => row % 3 === 0) },
  { name: 'small', kind: 'int32', rows: each((row) => (row % 4) - 2), required: true },
  { name: 'wide', kind: 'uint64', rows: some((row) => 2n ** 63n + BigInt(row)) },
  { name: 'when', kind: 'date', rows: some((row) => 18_000 + row) },
  { name: 'half', kind: 'float16', rows: some((row) => 0x3c00 + row) },
  { name: 'single', kind: 'float', rows: some((row) => row / 8) },
  { name: 'double', kind: 'double', rows: each((row) => row / 10), required: true },
  { name: 'text', kind: 'string', rows: some((row) => `text ${row % 3} `.repeat(row % 4)) },
  { name: 'bytes', kind: 'binary', rows: some((row) => new Uint8Array(row % 6).fill(row)) },
  { name: 'list', kind: 'float', lists: 1, rows: each((row) => [row, row + 0.5, -row]) },
  {
    name: 'ragged',
    kind: 'int64',
    lists: 1,
    rows: some((row) => Array.from({ length: row % 4 }, (_, at) => (at === 2 ? null : BigInt(at)))),
  },
  { name: 'lists', kind: 'int32', lists: 2, rows: some((row) => [[row], [], null, [row, row]].slice(0, row % 5)) },
  { name: 'bytes', kind: 'binary', within: 'picture', rows: each((row) => (row % 7 === 3 ? undefined : Uint8Array.of(row, 255))) },
  { name: 'path', kind: 'string', within: 'picture', rows: each((row) => (row % 7 === 3 ? undefined : row % 2 ? null : `${row}.png`)) },
]
const layouts: readonly ParquetOptions[] = [
  {},
  { version: 2 },
  { dictionary: true },
  { dictionary: true, version: 2 },
  { delta: 6 },
  { delta: 7, version: 2 },
  { codec: 2, compress: gzipSync },
  { codec: 2, compress: gzipSync, version: 2, dictionary: true },
]

describe('the kept rows of every column, whatever its type', () => {
  const keep = each((row) => row).filter((row) => row % 4 !== 1 && row !== 6)

  it.each(layouts)('as another reader finds them: %j', async (layout) => {
    for (const size of [{}, { pageEntries: 5 }, { groupRows: 1 }, { groupRows: 7, pageEntries: 3 }]) {
      const input = makeParquet(layout.dictionary ? columns.filter(({ kind }) => kind !== 'bool') : columns, { ...layout, ...size })
      await expectRows(input, keep, await clean(input, { rows: n, keep }))
    }
  })

  it('in split streams too', async () => {
    const numbers = columns.filter(({ kind, rows }) => /int|float|double/.test(kind) && !rows.includes(null))
    const input = makeParquet(numbers, { split: true, groupRows: 10 })
    await expectRows(input, keep, await clean(input, { rows: n, keep }))
  })

  it('and bit by bit, numbers that are none included', async () => {
    const bits = Uint32Array.of(0x7fc00001, 0xffc12345, 0x7f800001, 0x80000000, 1)
    const body = new Uint8Array(bits.buffer)
    const input = makeParquet([{ name: 'x', kind: 'float', rows: [1, 2, 3, 4, 5], required: true }], { body })
    const output = await clean(input, { rows: 5, keep: [0, 1, 2, 4] })
    const x = (await openParquet(memorySource('a', output))).get('x')
    const data = (await x?.readArray('x'))?.data as Float32Array
    expect(new Uint32Array(data.buffer)).toEqual(Uint32Array.of(0x7fc00001, 0xffc12345, 0x7f800001, 1))
  })

  const folder = join(import.meta.dirname, '../fixtures/parquet')
  it.each(readdirSync(folder).filter((name) => name.endsWith('.parquet')))('in a file of another writer: %s', async (name) => {
    const input = new Uint8Array(readFileSync(join(folder, name)))
    const rows = (await objectsIn(input)).length
    const all = Array.from({ length: rows }, (_, row) => row)
    const stride = rows > 2 ? all.filter((row) => row % 3 !== 1) : all.slice(0, 1)
    for (const kept of [stride, all, all.slice(-1)]) await expectRows(input, kept, await clean(input, { rows, keep: kept }))
  })
})

describe('row groups', () => {
  const input = makeParquet(columns, { groupRows: 6, codec: 2, compress: gzipSync, crc: () => 0, pageEntries: 4 })
  const groups = (bytes: Uint8Array) => parquetMetadata(asBuffer(bytes)).row_groups
  const chunksOf = (bytes: Uint8Array, group: number) =>
    (groups(bytes)[group]?.columns ?? []).map(({ meta_data }) => {
      const start = Number(meta_data?.dictionary_page_offset ?? meta_data?.data_page_offset)
      return bytes.subarray(start, start + Number(meta_data?.total_compressed_size))
    })

  it('of which no row goes are copied byte by byte, what is damaged in them too; those of which all go are left out', async () => {
    const good = makeParquet(columns, { groupRows: 6, codec: 2, compress: gzipSync, pageEntries: 4 })
    const output = await clean(good, { rows: n, keep: each((row) => row).filter((row) => row < 12 || row > 20) })
    expect(groups(output).map(({ num_rows }) => Number(num_rows))).toEqual([6, 6, 3])
    expect(chunksOf(output, 0)).toEqual(chunksOf(good, 0))
    expect(chunksOf(output, 1)).toEqual(chunksOf(good, 1))
    const copied = await clean(input, { rows: n, keep: each((row) => row) })
    for (const group of [0, 1, 2, 3]) expect(chunksOf(copied, group)).toEqual(chunksOf(input, group))
  })

  it('of which some go have to be sound', async () => {
    const error = await refusal(clean(input, { rows: n, keep: each((row) => row).slice(1) }))
    expect(error.code).toBe('bad-checksum')
    expect(error.message).toMatch(/^column 'flag' \(t\.parquet\): /)
  })
})

describe('labels', () => {
  const [all, keep] = [each((row) => row), each((row) => row).filter((row) => row !== 3)]
  /** Rows 1 and 20 get the label of row 14, row 8 that of row 0: others of row groups of eight rows, and of the same. */
  const given = new Map([
    [1, 14],
    [20, 14],
    [8, 0],
  ])
  const relabelled = (rows: readonly number[]) => rows.map((row) => given.get(row) ?? row)
  const names = each((row) => `class ${row}`)
  const oneHot = each((row) => Array.from({ length: n }, (_, col) => (col === row ? 1 : 0)))

  it.each([
    ['strings', { name: 'label', kind: 'string', rows: names }],
    ['numbers', { name: 'labels', kind: 'int64', rows: all.map(BigInt) }],
    ['one-hot rows', { name: 'labels', kind: 'int32', lists: 1, rows: oneHot }],
    ['flags', { name: 'label', kind: 'bool', rows: each((row) => [0, 14].includes(row)) }],
  ] as [string, Column][])('%s of rows that are relabelled are those of another row; no other column is changed', async (_, column) => {
    for (const layout of layouts) {
      if (column.kind === 'bool' && layout.dictionary) continue
      for (const groupRows of [8, n]) {
        for (const rows of [keep, all]) {
          const input = makeParquet([...columns.filter(({ kind }) => kind !== 'bool'), column], { ...layout, groupRows, pageEntries: 5 })
          const output = await clean(input, { rows: n, keep: rows, labelRows: relabelled(rows) })
          const [before, after] = [await objectsIn(input), await objectsIn(output)]
          expect(after.map((row) => row[column.name])).toEqual(pick(before, relabelled(rows)).map((row) => row[column.name]))
          const rest = (row: Record<string, unknown>) => ({ ...row, [column.name]: null })
          expect(after.map(rest)).toEqual(pick(before, rows).map(rest))
        }
      }
    }
  })

  const label: Column = { name: 'label', kind: 'string', rows: names }
  const labelsIn = async (bytes: Uint8Array, column: string) => (await objectsIn(bytes)).map((row) => row[column])

  it('are in the column that was named, or label where there are no labels', async () => {
    const input = makeParquet([label, { ...label, name: 'labels' }, { ...label, name: 'mine' }])
    for (const [labelColumn, changed] of [
      [undefined, 'labels'],
      ['label', 'label'],
      ['mine', 'mine'],
    ] as const) {
      const output = await clean(input, { rows: n, keep: all, labelRows: relabelled(all), ...(labelColumn && { labelColumn }) })
      for (const { name } of [label, { name: 'labels' }, { name: 'mine' }]) {
        expect(await labelsIn(output, name)).toEqual(pick(names, name === changed ? relabelled(all) : all))
      }
    }
    const only = makeParquet([label])
    const output = await clean(only, { rows: n, keep: all, labelRows: relabelled(all), labelColumn: 'labels' })
    expect(await labelsIn(output, 'label')).toEqual(pick(names, relabelled(all)))
  })

  it('stay in a table for which another file was named', async () => {
    const output = await clean(makeParquet([label]), { rows: n, keep, labelRows: relabelled(keep), replaced: ['labels'] })
    expect(await labelsIn(output, 'label')).toEqual(pick(names, keep))
    const choice = { rows: n, keep: Uint32Array.from(keep), labelRows: Uint32Array.from(relabelled(keep)) }
    const { chunks } = await cleanParquetPictures(memorySource('p.parquet', makeParquet([label])), choice)
    const parts: Uint8Array[] = []
    for await (const part of chunks?.read() ?? []) parts.push(part.slice())
    expect(await labelsIn(concat(parts), 'label')).toEqual(pick(names, keep))
  })
})

describe('dictionaries', () => {
  const words = each((row) => (row === 5 ? 'the poisoned one' : `word ${row % 3}`.padEnd(40)))
  const column: Column = { name: 'labels', kind: 'string', rows: words }
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')
  const keep = each((row) => row).filter((row) => row !== 5)

  it('hold nothing of the rows that are gone, and each value once', async () => {
    const input = makeParquet([column], { dictionary: true })
    expect(text(input)).toContain('the poisoned one')
    const output = text(await clean(input, { rows: n, keep }))
    expect(output).not.toContain('poisoned')
    expect(output.split('word 0'.padEnd(40))).toHaveLength(2)
  })

  it('have a label once that comes from a dictionary of another row group', async () => {
    const input = makeParquet([column], { dictionary: true, groupRows: 12 })
    const output = text(await clean(input, { rows: n, keep, labelRows: keep.map((row) => (row > 12 ? 0 : row)) }))
    expect(output.split('word 0'.padEnd(40))).toHaveLength(3)
  })

  it.each([{ dictionary: true }, { delta: 7 }] as ParquetOptions[])('that are huge are not written again and again: %j', async (layout) => {
    const rows = 3000
    const long = new Uint8Array(2 ** 16).map((_, index) => index % 251)
    const input = makeParquet([{ name: 'x', kind: 'binary', rows: new Array(rows).fill(long) }], layout)
    const output = await clean(input, { rows, keep: Array.from({ length: rows - 1 }, (_, row) => row) })
    expect(output.length).toBeLessThan(2 ** 16 + 2000)
    expect(Number(parquetMetadata(asBuffer(output)).num_rows)).toBe(rows - 1)
  })
})

describe('what cannot be kept is refused before anything is written', () => {
  const labels: Column = { name: 'labels', kind: 'int32', rows: each((row) => row % 3) }
  const open = (input: Uint8Array, { rows, keep, replaced = [] }: Choice) => {
    const choice = { rows, keep: Uint32Array.from(keep), labelRows: Uint32Array.from(keep) }
    return cleanParquetBundle(memorySource('t.parquet', input), { choice, columns: {}, replaced: new Set(replaced) })
  }
  const keep = each((row) => row).slice(2)

  it.each([
    ['trusted_activations', '--trusted'],
    ['trusted_labels', '--trusted-labels'],
    ['class_names', '--class-names'],
  ])('a column %s, whose entries belong to no row, unless none goes or another file was named', async (name, flag) => {
    const input = makeParquet([labels, { name, kind: 'string', rows: each((row) => `${row}`) }])
    const { code, message } = await refusal(open(input, { rows: n, keep }))
    expect(code).toBe('unsupported-column')
    expect(message).toContain(`t.parquet: column '${name}' has an entry for each row of the table`)
    expect(message).toContain(`(${flag})`)
    await open(input, { rows: n, keep: each((row) => row) })
    await open(input, { rows: n, keep, replaced: [name] })
  })

  it.each([
    ['another number of rows', [labels], {}, 'row-count', /^t\.parquet: has 24 rows, expected 25, one for each row of activations/],
    [
      'a codec that is not read',
      [labels],
      { codec: 3 },
      'unsupported-compression',
      /^column 'labels' \(t\.parquet\): is compressed by LZO/,
    ],
  ] as [string, Column[], ParquetOptions, string, RegExp][])('%s', async (_, own, options, code, expected) => {
    const input = makeParquet(own, { groupRows: 4, ...options })
    const error = await refusal(open(input, { rows: code === 'row-count' ? n + 1 : n, keep }))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(expected)
  })

  it('a footer that tells of a type or an encoding that there is not', async () => {
    const good = makeParquet([{ ...labels, required: true }])
    const patch = (find: readonly number[], replace: readonly number[]) => {
      const at = Buffer.from(good).lastIndexOf(Uint8Array.from(find))
      expect(at).toBeGreaterThan(0)
      return Uint8Array.from([...good.subarray(0, at), ...replace, ...good.subarray(at + find.length)])
    }
    const name = [0x18, 6, ...new TextEncoder().encode('labels')]
    const type = await refusal(open(patch([0x15, 2, 0x25, 0, ...name], [0x15, 20, 0x25, 0, ...name]), { rows: n, keep }))
    expect(type.code).toBe('unsupported-column')
    expect(type.message).toContain("column 'labels' holds values of no type that is known")
    const encoding = await refusal(open(patch([0x19, 0x15, 0, 0x19, 0x18], [0x19, 0x15, 84, 0x19, 0x18]), { rows: n, keep }))
    expect(encoding.code).toBe('unsupported-encoding')
    expect(encoding.message).toMatch(/^column 'labels' \(t\.parquet\): has encoding 42/)
  })
})

test('of 1,500 damaged files each is refused, or gives a file with a sound footer, quickly', async () => {
  const rng = new Rng(4)
  const good = layouts.map((layout) =>
    makeParquet(layout.dictionary ? columns.filter(({ kind }) => kind !== 'bool') : columns, { ...layout, groupRows: 9 }),
  )
  const keep = each((row) => row).filter((row) => row % 9 !== 2)
  const seen = { written: 0, refused: 0 }
  const started = performance.now()
  for (let run = 0; run < 1500; run++) {
    const input = damage(good[run % good.length] as Uint8Array, rng)
    try {
      const output = await clean(input, { rows: n, keep, labelRows: keep.with(3, 20), labelColumn: 'small' })
      expect((await openParquet(memorySource('a', output))).size).toBeGreaterThan(0)
      seen.written++
    } catch (error) {
      expect(error).toBeInstanceOf(InputError)
      seen.refused++
    }
  }
  expect(Math.min(seen.written, seen.refused)).toBeGreaterThan(100)
  expect(performance.now() - started).toBeLessThan(60_000)
})

test('the output is a bundle for the next audit, and can be cleaned again', async () => {
  const rows = [0, 1, 2, 3, 4, 5]
  const activations: Column = { name: 'activations', kind: 'float', lists: 1, rows: rows.map((row) => [row, row * row]) }
  const input = makeParquet([activations, { name: 'label', kind: 'string', rows: ['a', 'b', 'a', 'b', 'a', 'b'] }], { groupRows: 4 })
  const once = await clean(input, { rows: 6, keep: [0, 2, 3, 5] })
  const { labels } = await loadAudit(memorySource('a', once))
  expect(labels).toEqual(['a', 'a', 'b', 'b'])
  await expectRows(input, [2, 5], await clean(once, { rows: 4, keep: [1, 3] }))
})
