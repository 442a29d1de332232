import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { loadAudit } from '../../src/io/load.js'
import { openAudit } from '../../src/io/node-open-audit.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { collectRows, readSet } from '../support/collect-rows.js'
import { refusal } from '../support/refusal.js'
import { sharedData } from '../support/shared-data.js'
import { makeSafetensors, safetensorsOf } from './make-safetensors.js'

const temporary = mkdtempSync(join(tmpdir(), 'assay-safetensors-'))
afterAll(() => rmSync(temporary, { recursive: true, force: true }))

const source = (bytes: Uint8Array): ByteSource => memorySource('b.safetensors', bytes)

test.each([
  ['F16', Uint16Array.of(0x3c00, 0xc000), 'float16', Uint16Array.of(0x3c00, 0xc000)],
  ['BF16', Uint16Array.of(0x3f80, 0xc0a0), 'bfloat16', Float32Array.of(1, -5)],
  ['F32', Float32Array.of(1.5, -2), 'float32', Float32Array.of(1.5, -2)],
  ['F64', Float64Array.of(1.5, -2), 'float64', Float64Array.of(1.5, -2)],
  ['I8', Int8Array.of(1, -2), 'int8', Int8Array.of(1, -2)],
  ['I16', Int16Array.of(1, -2), 'int16', Int16Array.of(1, -2)],
  ['I32', Int32Array.of(1, -2), 'int32', Int32Array.of(1, -2)],
  ['I64', BigInt64Array.of(1n, -2n), 'int64', BigInt64Array.of(1n, -2n)],
  ['U8', Uint8Array.of(1, 255), 'uint8', Uint8Array.of(1, 255)],
  ['U16', Uint16Array.of(1, 65535), 'uint16', Int32Array.of(1, 65535)],
  ['U32', Uint32Array.of(1, 2 ** 32 - 1), 'uint32', Uint32Array.of(1, 2 ** 32 - 1)],
  ['U64', BigUint64Array.of(1n, 2n ** 64n - 1n), 'uint64', BigUint64Array.of(1n, 2n ** 64n - 1n)],
  ['BOOL', Uint8Array.of(0, 1), 'bool', Uint8Array.of(0, 1)],
] as [string, ArrayBufferView, string, unknown][])('%s is read', async (dtype, data, name, expected) => {
  const before = ['U8', [3], Uint8Array.of(7, 8, 9)] as const // so that nothing is aligned
  const arrays = await openSafetensors(source(safetensorsOf({ before, x: [dtype, [2, 1], data] })))
  expect(await arrays.get('x')?.readArray('x')).toEqual({ dtype: name, shape: [2, 1], data: expected })
})

test('scalars, empty tensors and escaped names are read', async () => {
  const none = new Uint8Array(0)
  const arrays = await openSafetensors(source(safetensorsOf({ s: ['F32', [], Float32Array.of(3)], 'é"\n': ['F32', [0, 2 ** 40], none] })))
  expect(await arrays.get('s')?.readArray('s')).toMatchObject({ shape: [], data: Float32Array.of(3) })
  expect(await arrays.get('é"\n')?.readArray('e')).toMatchObject({ data: new Float32Array(0) })
})

const bundle = safetensorsOf({
  labels: ['I64', [3], BigInt64Array.of(5n, 7n, 5n)],
  pixels: ['U8', [3, 100_000], new Uint8Array(300_000)],
  activations: ['F16', [3, 2], Uint16Array.of(0x3c00, 0, 0, 0x3c00, 0x4000, 0)],
})

test('a bundle is read by its keys, whatever their order', async () => {
  const { set, values } = await readSet(loadAudit(source(bundle)))
  expect(set.classes.map(({ label, rows }) => [label, rows])).toEqual([
    [5, 2],
    [7, 1],
  ])
  expect([...values]).toEqual([1, 0, 0, 1, 2, 0])
})

test('a bundle in a file is hashed as a whole while it is read, though not all of it is wanted', async () => {
  const path = join(temporary, 'b.bin')
  writeFileSync(path, bundle)
  const input = await openAudit(path)
  expect(input.activations.rows).toBe(3)
  const { createHash } = await import('node:crypto')
  expect((await input.origin()).files).toEqual([{ name: 'b.bin', sha256: createHash('sha256').update(bundle).digest('hex') }])
})

test('other keys can be named', async () => {
  const other = safetensorsOf({ y: ['I8', [1], Int8Array.of(4)], x: ['F32', [1, 1], Float32Array.of(2)] })
  expect((await loadAudit(source(other), {}, { labels: 'y', activations: 'x' })).labels).toEqual(Int8Array.of(4))
  expect((await refusal(loadAudit(source(other), {}, { labels: 'z' }))).message).toMatch(/holds y, x, expected activations and z too/)
})

const f32 = (start: number, end: number, shape: readonly number[] = [(end - start) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [start, end],
})
const four = new Float32Array(4)
const one = '{"dtype":"F32","shape":[4],"data_offsets":[0,16]}'

test.each([
  ['bytes beyond the file', makeSafetensors({ a: f32(0, 32) }, four), 'truncated', /beyond the 16 bytes/],
  ['a hole', makeSafetensors({ a: f32(0, 4), b: f32(8, 16) }, four), 'bad-offsets', /hole before it: it begins at byte 8, expected 4/],
  ['a hole at the start', makeSafetensors({ b: f32(4, 16) }, four), 'bad-offsets', /hole/],
  ['an overlap', makeSafetensors({ a: f32(0, 8), b: f32(4, 16) }, four), 'bad-offsets', /overlaps/],
  ['bytes behind the last tensor', makeSafetensors({ a: f32(0, 8) }, four), 'trailing-bytes', /8 bytes behind/],
  ['offsets that run backwards', makeSafetensors({ a: f32(16, 0, [4]) }, four), 'bad-offsets', /backwards/],
  ['a shape of another size', makeSafetensors({ a: f32(0, 16, [5]) }, four), 'bad-shape', /has 16 bytes, expected 20/],
  ['a shape whose product overflows', makeSafetensors({ a: f32(0, 16, [2 ** 52, 2 ** 52]) }, four), 'bad-shape', /expected 8\.1/],
  ['a dimension past 2⁵³', makeSafetensors(`{"a":${one.replace('4]', '9007199254740993]')}}`, four), 'bad-header', /2⁵³ − 1/],
  ['a negative dimension', makeSafetensors({ a: f32(0, 16, [-4]) }, four), 'bad-header', /whole number/],
  ['a fraction', makeSafetensors({ a: f32(0, 16, [4.5]) }, four), 'bad-header', /whole number/],
  ['100 dimensions', makeSafetensors({ a: f32(0, 16, new Array(100).fill(1)) }, four), 'bad-header', /at most 64/],
  [
    'an unknown dtype',
    makeSafetensors({ a: { ...f32(0, 16), dtype: 'F8_E4M3' } }, four),
    'unsupported-dtype',
    /'F8_E4M3', expected one of/,
  ],
  ['the same key twice', makeSafetensors(`{"a":${one},"a":${one}}`, four), 'duplicate-name', /key 'a' twice/],
  ['the same key twice, escaped', makeSafetensors(`{"a":${one},"\\u0061":${one}}`, four), 'duplicate-name', /key 'a' twice/],
  ['a dtype twice', makeSafetensors(`{"a":${one.replace('{', '{"dtype":"I32",')}}`, four), 'duplicate-name', /key 'dtype'/],
  ['metadata twice', makeSafetensors('{"__metadata__":{},"__metadata__":{}}'), 'duplicate-name', /__metadata__/],
  ['metadata that is no string', makeSafetensors('{"__metadata__":{"a":1}}'), 'bad-header', /expected a string, as all of __metadata__/],
  ['metadata that is no object', makeSafetensors('{"__metadata__":"a"}'), 'bad-header', /expected '\{'/],
  ['a lone surrogate', makeSafetensors('{"\\ud800":{}}'), 'bad-header', /surrogates/],
  ['bad UTF-8', makeSafetensors(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), 'bad-header', /not valid UTF-8/],
  ['a key too many', makeSafetensors({ a: { ...f32(0, 16), x: 1 } }, four), 'bad-header', /expected dtype, shape or data_offsets/],
  ['a key too few', makeSafetensors({ a: { dtype: 'F32', shape: [4] } }, four), 'bad-header', /lacks/],
  ['three offsets', makeSafetensors({ a: { ...f32(0, 16), data_offsets: [0, 8, 16] } }, four), 'bad-header', /at most 2/],
  ['a trailing comma', makeSafetensors(`{"a":${one},}`, four), 'bad-header', /a key in double quotes/],
  ['text behind the header', makeSafetensors(`{"a":${one}} x`, four), 'bad-header', /nothing but spaces/],
  ['space before the header', makeSafetensors(` {"a":${one}}`, four), 'bad-header', /expected '\{'/],
  ['a header that breaks off', makeSafetensors('{"a'), 'bad-header', /in JSON/],
  ['braces a million deep', makeSafetensors('{"a":'.repeat(1_000_000)), 'bad-header', /keys of 'a'/],
  ['a header longer than the file', makeSafetensors({}, four, 2n ** 63n), 'truncated', /declares a header of 9223372036854775808 bytes/],
  ['a header of 17 MB', makeSafetensors(' '.repeat(17 * 2 ** 20)), 'too-large', /at most 16777216/],
  ['seven bytes', new Uint8Array(7), 'truncated', /has 7 bytes/],
] as [string, Uint8Array, string, RegExp][])('a file with %s is refused', async (_, bytes, code, message) => {
  const error = await refusal(openSafetensors(source(bytes)))
  expect(error.code).toBe(code)
  expect(error.message).toMatch(message)
})

const shared = sharedData()
const crafted = join(shared ?? '', '..', 'provenance', 'crafted-safetensors')
describe.skipIf(shared === null || !existsSync(crafted))('crafted files', () => {
  const defects: Readonly<Record<string, RegExp>> = {
    'bad-utf8': /not valid UTF-8/,
    beyond: /beyond the 16 bytes/,
    'dup-keys': /key 'a' twice/,
    hole: /hole/,
    'huge-header': /declares a header of \d+ bytes/,
    ok: /holds a, b, expected activations and labels too/,
    'overflow-shape': /4611686018427387904.*expected a whole number from 0 to 2⁵³ − 1/,
    overlap: /overlaps/,
    tail: /behind its last tensor/,
  }

  test('each has a defect that is known here', () => {
    expect(shared === null ? [] : readdirSync(crafted).sort()).toEqual(Object.keys(defects).map((name) => `${name}.safetensors`))
  })

  test.each(Object.entries(defects))('%s is refused, and the refusal names the defect', async (name, message) => {
    expect((await refusal(openAudit(join(crafted, `${name}.safetensors`)))).message).toMatch(message)
  })

  test('ok is read', async () => {
    const arrays = await openSafetensors(source(new Uint8Array(readFileSync(join(crafted, 'ok.safetensors')))))
    expect([...arrays.keys()]).toEqual(['a', 'b'])
    expect((await arrays.get('b')?.readArray('b'))?.data).toHaveLength(2)
  })
})

describe.skipIf(shared === null)('a real bundle', () => {
  test('holds what its folder holds', async () => {
    const folder = join(shared ?? '', 'A-fashion-badnets-10')
    const [fromBundle, fromFolder] = [await openAudit(join(folder, 'bundle.safetensors')), await openAudit(folder)]
    for (const key of ['labels', 'predictions', 'logits'] as const) expect(fromBundle[key]).toEqual(fromFolder[key])
    expect(await collectRows(fromBundle.activations, 1000)).toEqual(await collectRows(fromFolder.activations, 1000))
  })
})
