import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import { readAuditArrays } from '../../src/io/audit-arrays.js'
import { memorySource } from '../../src/io/byte-source.js'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { refusal } from '../support/refusal.js'

const encode = (text: string) => new TextEncoder().encode(text)

/** Reads `text` as labels of as many rows as it has. */
async function labelsOf(text: string | Uint8Array, options: { column?: string; name?: string; as?: 'labels' | 'preds' } = {}) {
  const file = memorySource(options.name ?? 'y', typeof text === 'string' ? encode(text) : text)
  const activations = memorySource('x', writeNpyFloat32(Float32Array.of(1), [1, 1]))
  const sources =
    options.as === 'preds' ? { activations, labels: memorySource('l', encode('[0]')), preds: file } : { activations, labels: file }
  const input = await readAuditArrays(sources, { labels: options.column })
  return Array.from((options.as === 'preds' ? input.predictions : input.labels) as ArrayLike<unknown>)
}

test.each([
  ['a column of numbers', '5\n7\n5\n', [5, 7, 5]],
  ['a column without a last newline', '5\n7', [5, 7]],
  ['CRLF', '5\r\n-7\r\n', [5, -7]],
  ['a header over numbers', 'digit\n5\n7\n', [5, 7]],
  ['a header that labels go by', 'label\ncat\ndog\n', ['cat', 'dog']],
  ['its capitals', 'Label\ncat\n', ['cat']],
  ['no header over strings', 'cat\ndog\n', ['cat', 'dog']],
  ['quotes, commas, newlines', '"a, ""b""\nc"\n" "\n', ['a, "b"\nc', ' ']],
  ['a byte order mark', '\ufefflabel\n1\n', [1]],
  ['floats that are whole', '5.0\n7.00\n', [5, 7]],
  ['floats that are not', '5.5\n7\n', ['5.5', '7']],
  ['leading zeros', '07\n7\n', ['07', '7']],
  ['numbers past 2⁵³', '9007199254740993\n1\n', ['9007199254740993', 1]],
  ['numbers and a word', '5\n7\ncat\n', ['5', '7', 'cat']],
  ['several columns', 'id,label,x\na,3,9\nb,4,9\n', [3, 4]],
  ['a last field that is empty', 'label,x\n3,\n4,', [3, 4]],
  ['JSON numbers', ' [5, 7, -1]\n', [5, 7, -1]],
  ['JSON strings', '["5", "a\\nb"]', ['5', 'a\nb']],
  ['JSON lines of objects', '{"label": 5, "x": 1}\n{"label": "a"}\n', [5, 'a']],
] as [string, string, unknown[]][])('labels may be text: %s', async (_, text, expected) => {
  expect(await labelsOf(text)).toEqual(expected)
})

test('JSON lines of plain values go by the name of the file', async () => {
  expect(await labelsOf('5\n"7"\n', { name: 'y.jsonl' })).toEqual([5, '7'])
  expect(await labelsOf('"a\\tb"\r\n"c"\r\n', { name: 'Y.NDJSON' })).toEqual(['a\tb', 'c'])
  expect(await labelsOf('"a"\n"c"\n')).toEqual(['a', 'c'])
})

test('a column or key can be named', async () => {
  expect(await labelsOf('label,class\n1,2\n', { column: 'class' })).toEqual([2])
  expect(await labelsOf('{"label":1,"class":2}', { column: 'class' })).toEqual([2])
  expect(await labelsOf('class\na\n', { column: 'class' })).toEqual(['a'])
  expect((await refusal(labelsOf('label,x\n1,2\n', { column: 'class' }))).message).toMatch(/columns 'label', 'x', expected 'class'/)
})

test('predictions have names of their own', async () => {
  const table = 'label,pred\n1,2\n'
  expect(await labelsOf(table, { as: 'preds', column: 'label' })).toEqual([2])
  expect(await labelsOf('id,class\n1,2\n', { as: 'preds', column: 'class' })).toEqual([2])
})

test.each([
  ['a ragged row', 'label,x\n1,2\n3\n', 'bad-csv', /row 1 has 1 fields, expected 2/],
  ['a row too long', '1\n2,3\n', 'bad-csv', /row 0 has 2 fields, expected 1/],
  ['an empty cell', 'label,x\n1,2\n,2\n', 'bad-label', /row 1 is empty/],
  ['an empty line', '1\n\n2\n', 'bad-label', /row 1 is empty/],
  ['a quote inside a field', 'a"b\n', 'bad-csv', /a quote beside a field/],
  ['text behind a quote', '"a"b\n', 'bad-csv', /text beside a field/],
  ['an open quote', 'a\n"b\n', 'bad-csv', /never closed/],
  [
    'several columns and no name for one',
    'a,\u001b[31m\n1,2\n',
    'no-column',
    /columns 'a', '\\u\{1b\}\[31m', expected 'labels' or 'label'; .*--label-column/,
  ],
  ['a column twice', 'label,label\n1,2\n', 'duplicate-name', /two columns 'label'/],
  ['JSON that breaks off', '[1,', 'bad-json', /not valid JSON/],
  ['a line that is not JSON', '{"label":1}\n{"label":\n', 'bad-json', /row 1/],
  ['an object without the key', '{"label":1}\n{"x":1}\n', 'no-column', /row 1 has no key 'labels', 'label'/],
  ['bytes that are no text', Uint8Array.of(0x31, 0x0a, 0xff), 'unsupported-format', /of no format known here.*UTF-8/],
  ['a NUL', '1\0\n', 'unsupported-format', /of no format known here/],
  ['nothing', '', 'unsupported-format', /is empty/],
  ['a pickle', Uint8Array.of(0x80, 4, 0x95), 'unsupported-format', /pickle/],
] as [string, string | Uint8Array, string, RegExp][])('text with %s is refused', async (_, text, code, message) => {
  const error = await refusal(labelsOf(text))
  expect(error.code).toBe(code)
  expect(error.message).toMatch(message)
})

test('null in JSON is a missing label', async () => {
  const activations = { data: Float32Array.of(1, 2), rows: 2, cols: 1 }
  const labels = (await labelsOf('[1, null]')) as number[]
  expect(() => toActivationSet({ activations, labels })).toThrow(/row 1 is null/)
})

test('a table with an index, as data frames are written', async () => {
  const bytes = new Uint8Array(readFileSync(join(import.meta.dirname, '../fixtures/labels/table.csv')))
  expect(await labelsOf(bytes, { column: 'sign' })).toEqual(['stop', 'speed limit, 60', 'say "halt"', 'stop'])
  expect(await labelsOf(bytes)).toEqual([14, 3, 14, -1])
})
