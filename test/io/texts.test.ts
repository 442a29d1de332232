import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { memorySource } from '../../src/io/byte-source.js'
import { gunzip } from '../../src/io/gunzip.js'
import { loadAudit } from '../../src/io/load.js'
import { openAudit } from '../../src/io/node-open-audit.js'
import { openAudit as openInBrowser } from '../../src/io/open-audit.js'
import { readTexts } from '../../src/io/texts.js'
import { refusal } from '../support/refusal.js'
import { makeNpy } from './make-npy.js'
import { type Column, makeParquet } from './make-parquet.js'
import { concat, makeZip } from './make-zip.js'

const temporary = mkdtempSync(join(tmpdir(), 'assay-texts-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const encode = (text: string) => new TextEncoder().encode(text)
const source = (bytes: Uint8Array | string, name = 'texts.jsonl') => memorySource(name, typeof bytes === 'string' ? encode(bytes) : bytes)

const lines = '{"i": 0, "text": "a \\"b\\""}\n"é\\u0000🛑"\n{"text": ""}\n'
const texts = ['a "b"', 'é\0🛑', '']

test.each([
  ['lines', lines],
  ['lines without an end', lines.slice(0, -1)],
  ['lines of Windows', lines.replaceAll('\n', '\r\n')],
  ['gzip', gzipSync(lines)],
  ['gzip that is not compressed', gzipSync(lines, { level: 0 })],
] as [string, string | Uint8Array][])('%s are read', async (_, bytes) => {
  expect(await readTexts(source(bytes), 3)).toEqual(texts)
  expect(await readTexts(source(bytes), undefined)).toEqual(texts)
})

test('a .npy of strings is read', async () => {
  const npy = makeNpy({ descr: '|S2', shape: '(3,)' }, encode('ab\0\0cd'))
  expect(await readTexts(source(npy), 3)).toEqual(['ab', '', 'cd'])
})

test.each([
  ['too few lines', '"a"\n"b"\n', 'row-count', /got 2 rows, expected 3/],
  ['too many lines', '"a"\n'.repeat(4), 'row-count', /got more rows, expected 3/],
  ['a number', '"a"\n7\n"b"', 'bad-type', /row 1 is no text/],
  ['an object without text', '{"words": "a"}\n', 'bad-type', /row 0 is no text, expected a string, or an object with a string under text/],
  ['an object whose text is inherited', '{"__proto__": {"text": "a"}}\n', 'bad-type', /row 0/],
  ['null', '{"text": null}', 'bad-type', /row 0/],
  ['an empty line', '"a"\n\n"b"', 'bad-json', /row 1/],
  ['a list', '["a", "b", "c"]', 'bad-type', /row 0/],
  ['a Latin-1 letter', Uint8Array.of(0x22, 0xe9, 0x22), 'not-text', /UTF-8/],
  ['an archive', makeZip([]), 'unsupported-format', /expected JSON lines/],
  ['nothing', '', 'unsupported-format', /is empty/],
  ['a .npy of numbers', makeNpy({ descr: '|u1', shape: '(3,)' }, [1, 2, 3]), 'bad-type', /uint8, expected strings/],
  ['a .npy of lists', makeNpy({ descr: '|S1', shape: '(3, 1)' }, [65, 66, 67]), 'bad-shape', /\[3, 1\]/],
] as [string, string | Uint8Array, string, RegExp][])('a file with %s is refused', async (_, bytes, code, message) => {
  const error = await refusal(readTexts(source(bytes), 3))
  expect(error.code).toBe(code)
  expect(error.message).toMatch(message)
  expect(error.message).toMatch(/^texts \(texts\.jsonl\): /)
})

test('257 MiB are refused before they are read', async () => {
  const large = {
    name: 'a',
    byteLength: 257 * 2 ** 20,
    slice: async (start: number, end: number) => encode('"'.repeat(Math.min(64, end - start))),
  }
  expect((await refusal(readTexts(large, 3))).code).toBe('too-large')
})

describe('gzip', () => {
  const data = encode('the same words, the same words, the same words')
  const packed = new Uint8Array(gzipSync(data))
  const read = (bytes: Uint8Array, maxBytes = 1000) => gunzip(memorySource('a.gz', bytes), maxBytes, 'a.gz')
  const header = (flags: number, fields: ArrayLike<number>) =>
    concat([Uint8Array.of(0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3), Uint8Array.from(fields), packed.subarray(10)])
  const changed = (at: number, value: number) => {
    const bytes = packed.slice()
    bytes[at < 0 ? bytes.length + at : at] = value
    return bytes
  }

  test.each([
    ['no field', header(0, [])],
    ['a name', header(8, encode('a.txt\0'))],
    ['all fields', header(31, [...[3, 0, 1, 2, 3], ...encode('a.txt\0a comment\0'), 9, 9])],
  ] as [string, Uint8Array][])('with %s in its header is unpacked', async (_, bytes) => {
    expect(await read(bytes)).toEqual(data)
  })

  test('of nothing is nothing', async () => {
    expect(await read(new Uint8Array(gzipSync('')))).toHaveLength(0)
  })

  test.each([
    ['cut off', packed.subarray(0, -1), /bad-gzip|bad-checksum|too-large|zip-bomb/],
    ['cut in the header', packed.subarray(0, 12), /bad-gzip/],
    ['of another method', changed(2, 7), /bad-gzip/],
    ['with flags of a later time', changed(3, 0x80), /bad-gzip/],
    ['with a name that never ends', header(8, []).map((byte) => byte || 1), /bad-gzip/],
    ['with a field longer than it', header(4, [0xff, 0xff]), /bad-gzip/],
    ['with another checksum', changed(-8, (packed.at(-8) as number) ^ 1), /bad-checksum/],
    ['that says it is longer', changed(-4, data.length + 1), /bad-gzip/],
    ['that says it is shorter', changed(-4, data.length - 1), /bad-gzip/],
    ['that says it has 3 GB', changed(-1, 0xbf), /too-large/],
    ['with damaged data', changed(12, (packed[12] as number) ^ 0xff), /bad-gzip|bad-checksum/],
    ['of two members', concat([packed, gzipSync('other words')]), /bad-gzip/],
  ] as [string, Uint8Array, RegExp][])('%s is refused', async (_, bytes, code) => {
    expect((await refusal(read(bytes))).code).toMatch(code)
  })

  test('is bounded in what it unpacks to, by what is allowed and by its own size', async () => {
    const zeros = new Uint8Array(gzipSync(new Uint8Array(10_000_000)))
    expect((await refusal(read(zeros, 9_999_999))).code).toBe('too-large')
    expect(await read(zeros, 10_000_000)).toHaveLength(10_000_000)
    const lying = zeros.slice(0, 1000)
    lying.set(zeros.subarray(-8), 992)
    expect((await refusal(read(lying, 1e9))).code).toBe('zip-bomb')
  })
})

describe('an audit', () => {
  const activations = makeNpy({ descr: '<f4', shape: '(3, 2)' }, new Float32Array(6))
  const labels = makeNpy({ descr: '|u1', shape: '(3,)' }, Uint8Array.of(1, 2, 1))
  const arrays = { 'activations.npy': activations, 'labels.npy': labels }
  let folders = 0
  function makeFolder(files: Readonly<Record<string, Uint8Array>>): string {
    const folder = join(temporary, `f${folders++}`)
    mkdirSync(folder)
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes)
    return folder
  }

  test('has the texts of its folder, which are no part of its origin', async () => {
    const { texts: got, origin } = await openAudit(makeFolder({ ...arrays, 'texts.jsonl.gz': gzipSync(lines) }))
    expect(got).toEqual(texts)
    expect((await origin()).files.map(({ name }) => name)).toEqual(['activations.npy', 'labels.npy'])
    expect((await openAudit(makeFolder({ ...arrays, 'texts.jsonl': encode(lines) }))).texts).toEqual(texts)
    expect((await openAudit(makeFolder(arrays))).texts).toBeUndefined()
  })

  test('takes those that are named', async () => {
    const folder = makeFolder({ ...arrays, 'texts.jsonl': encode('7'), other: encode(lines) })
    expect((await openAudit(folder, { texts: join(folder, 'other') })).texts).toEqual(texts)
    expect((await refusal(openAudit(folder))).code).toBe('bad-type')
    expect((await refusal(openAudit(folder, { texts: join(folder, 'none') }))).code).toBe('not-found')
  })

  test('of files in a browser has the texts among them', async () => {
    const files = Object.entries({ ...arrays, 'texts.jsonl.gz': gzipSync(lines) }).map(
      ([name, bytes]) => new File([Uint8Array.from(bytes)], name),
    )
    expect((await openInBrowser(files)).texts).toEqual(texts)
  })

  test('of a .npz has its strings', async () => {
    const strings = makeNpy({ descr: '|S2', shape: '(3,)' }, encode('ab\0\0cd'))
    const members = Object.entries({ ...arrays, 'texts.npy': strings }).map(([name, data]) => ({ name, data }))
    expect((await loadAudit(source(makeZip(members), 'b.npz'))).texts).toEqual(['ab', '', 'cd'])
  })

  test('of Parquet has a column of text, empty where a row has none', async () => {
    const columns: Column[] = [
      { name: 'activations', kind: 'float', lists: 1, rows: [[1], [2], [3]] },
      { name: 'label', kind: 'int32', rows: [1, 2, 1] },
    ]
    const open = (column: Column, options = {}) => loadAudit(source(makeParquet([...columns, column], options), 'b.parquet'))
    for (const name of ['texts', 'text']) {
      for (const options of [{}, { groupRows: 2 }, { dictionary: true }, { version: 2 }]) {
        expect((await open({ name, kind: 'string', rows: ['a', null, 'é'] }, options)).texts).toEqual(['a', '', 'é'])
      }
    }
    const words: Column = { name: 'text', kind: 'string', rows: ['a', 'b', 'c'] }
    expect((await open({ ...words, name: 'words' })).texts).toBeUndefined()
    expect((await open({ ...words, kind: 'int32', rows: [1, 2, 3] })).texts).toBeUndefined()
    expect((await open({ ...words, lists: 1, rows: [['a'], ['b'], ['c']] })).texts).toBeUndefined()
    expect((await open({ ...words, kind: 'binary', rows: words.rows.map((row) => encode(row as string)) })).texts).toBeUndefined()
    // what would take much memory is left alone
    expect((await open(words, { unpackedBytes: 65 * 2 ** 20 })).texts).toBeUndefined()
  })
})
