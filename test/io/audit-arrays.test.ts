import { expect, test } from 'vitest'
import { type AuditSources, readAuditArrays } from '../../src/io/audit-arrays.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { loadAudit } from '../../src/io/load.js'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { readSet } from '../support/collect-rows.js'
import { refusal } from '../support/refusal.js'
import { makeNpy } from './make-npy.js'
import { makeZip } from './make-zip.js'

const source = (name: string, bytes: Uint8Array | string): ByteSource =>
  memorySource(name, typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes)
const activationBytes = writeNpyFloat32(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2])
const labelBytes = makeNpy({ descr: '<i4', shape: '(3,)' }, Int32Array.of(5, 7, 5))
const activations = source('activations.npy', activationBytes)
const labels = source('labels.npy', labelBytes)

const labelsOf = async (bytes: Uint8Array) => (await readSet(readAuditArrays({ activations, labels: source('y', bytes) }))).set

test('all arrays together make a set', async () => {
  const sources: AuditSources = {
    activations,
    labels,
    preds: labels,
    logits: source('logits.npy', writeNpyFloat32(new Float32Array(9), [3, 3])),
    trusted_activations: source('t.npy', writeNpyFloat32(new Float32Array(4), [2, 2])),
    trusted_labels: source('u.npy', makeNpy({ descr: '<u2', shape: '(2,)' }, Uint16Array.of(7, 65000))),
    class_names: source('class_names.json', ' {"5": "stop", "7": "60 km/h", "__proto__": "x"}'),
  }
  const { set } = await readSet(readAuditArrays(sources))
  expect(set.classes).toEqual([
    { label: 5, name: 'stop', rows: 2 },
    { label: 7, name: '60 km/h', rows: 1 },
  ])
  expect([...(set.predictions ?? [])]).toEqual([0, 1, 0])
  expect(set.logits).toMatchObject({ rows: 3, cols: 3 })
  expect([...(set.trusted?.classOf ?? [])]).toEqual([1, -1])
})

test.each([
  ['whole numbers as float16', makeNpy({ descr: '<f2', shape: '(3,)' }, Uint16Array.of(0x4500, 0x4700, 0x4500)), [5, 7]],
  ['whole numbers as float64', makeNpy({ descr: '<f8', shape: '(3,)' }, Float64Array.of(5, -7, 5)), [-7, 5]],
  ['unsigned 16-bit integers', makeNpy({ descr: '<u2', shape: '(3,)' }, Uint16Array.of(5, 0x3c00, 5)), [5, 0x3c00]],
  ['64-bit integers past 2⁵³', makeNpy({ descr: '<i8', shape: '(3,)' }, BigInt64Array.of(2n ** 60n, 1n, 1n)), [1, '1152921504606846976']],
  ['booleans', makeNpy({ descr: '|b1', shape: '(3,)' }, [1, 0, 1]), [0, 1]],
  ['strings', makeNpy({ descr: '|S2', shape: '(3,)' }, new TextEncoder().encode('ab\0\0ab')), ['', 'ab']],
  ['a column', makeNpy({ descr: '|i1', shape: '(3, 1)' }, [5, 7, 5]), [5, 7]],
  ['one-hot rows', makeNpy({ descr: '|u1', shape: '(3, 4)' }, [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0]), [0, 2]],
  ['one-hot rows as float32', makeNpy({ shape: '(3, 2)' }, Float32Array.of(0, 1, 1, 0, 0, 1)), [0, 1]],
] as [string, Uint8Array, unknown[]][])('labels may be %s', async (_, bytes, classes) => {
  expect((await labelsOf(bytes)).classes.map(({ label }) => label)).toEqual(classes)
})

test.each([
  ['logits', makeNpy({ shape: '(3, 2)' }, Float32Array.of(0.2, 0.8, 1, 0, 0, 1)), /row 0 is not one-hot/],
  ['rows without a 1', makeNpy({ descr: '|u1', shape: '(3, 2)' }, [0, 1, 0, 0, 1, 0]), /row 1 is not one-hot/],
  ['rows with two', makeNpy({ descr: '|u1', shape: '(3, 2)' }, [0, 1, 1, 0, 1, 1]), /row 2 is not one-hot/],
  ['three dimensions', makeNpy({ descr: '|u1', shape: '(3, 1, 1)' }, [0, 1, 1]), /shape \[3, 1, 1\], expected one label a row/],
  ['a scalar', makeNpy({ descr: '|u1', shape: '()' }, [0]), /shape \[\], expected one label a row/],
  ['fractions', makeNpy({ shape: '(3,)' }, Float32Array.of(1, 1.5, 2)), /row 1 is 1.5, expected a whole number/],
] as [string, Uint8Array, RegExp][])('labels that are %s are refused', async (_, bytes, message) => {
  expect((await refusal(labelsOf(bytes))).message).toMatch(message)
})

test.each([
  ['float16', makeNpy({ descr: '<f2', shape: '(1, 2)' }, Uint16Array.of(0x3c00, 0xc100)), [1, -2.5]],
  ['uint16', makeNpy({ descr: '<u2', shape: '(1, 2)' }, Uint16Array.of(0x3c00, 2)), [0x3c00, 2]],
  ['int64', makeNpy({ descr: '<i8', shape: '(1, 2)' }, BigInt64Array.of(-3n, 4n)), [-3, 4]],
  ['bool', makeNpy({ descr: '|b1', shape: '(1, 2)' }, [1, 0]), [1, 0]],
  [
    'float64 in Fortran order',
    makeNpy({ descr: '>f8', order: 'True', shape: '(1, 2)' }, [63, 240, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0]),
    [1, 2],
  ],
] as [string, Uint8Array, number[]][])('activations may be %s', async (_, bytes, values) => {
  const one = makeNpy({ descr: '|u1', shape: '(1,)' }, [3])
  const { values: got } = await readSet(readAuditArrays({ activations: source('x', bytes), labels: source('y', one) }))
  expect([...got]).toEqual(values)
})

test.each([
  ['four dimensions', writeNpyFloat32(new Float32Array(16), [2, 2, 2, 2]), /shape \[2, 2, 2, 2\].*flatten each row, or pool/],
  ['one dimension', writeNpyFloat32(new Float32Array(4), [4]), /save one row a sample/],
  ['strings', makeNpy({ descr: '|S1', shape: '(3, 1)' }, [65, 66, 67]), /holds strings/],
  [
    'rows without features, however many',
    makeNpy({ descr: '|u1', shape: '(9007199254740991, 0)' }),
    /has 9007199254740991 rows of 0 features/,
  ],
] as [string, Uint8Array, RegExp][])('activations of %s are refused', async (_, bytes, message) => {
  expect((await refusal(readAuditArrays({ activations: source('x', bytes), labels }))).message).toMatch(message)
})

test('every file that is wrong is named at once', async () => {
  const { message, details } = await refusal(
    readAuditArrays({
      labels: source('labels.npy', labelBytes.subarray(0, -1)),
      preds: source('preds.csv', 'a,b'),
      trusted_labels: labels,
      class_names: source('names.json', '[1]'),
    }),
  )
  expect(message.split('\n').map((line) => line.split(':')[0])).toEqual([
    'activations',
    'trusted_activations',
    'labels (labels.npy)',
    'preds (preds.csv)',
    'class_names (names.json)',
  ])
  expect(details.problems).toHaveLength(5)
})

test.each([
  ['not JSON', '[1,', 'bad-json'],
  ['not UTF-8', Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d), 'bad-json'],
  ['nested a million deep', '['.repeat(1_000_000), 'bad-json'],
  ['a list of lists', '[["a"]]', 'bad-type'],
  ['an object of numbers', '{"a": 1}', 'bad-type'],
  ['a word', 'stop', 'unsupported-format'],
  ['17 MB', `[${' '.repeat(17_000_000)}]`, 'too-large'],
  ['an array of numbers', labelBytes, 'bad-type'],
] as [string, string | Uint8Array, string][])('class names that are %s are refused', async (_, bytes, code) => {
  const read = readAuditArrays({ activations, labels, class_names: source('class_names.json', bytes) })
  expect((await refusal(read)).code).toBe(code)
})

test('a bundle is read by its keys; what lies beside it wins, and other members do not matter', async () => {
  const bundle = makeZip([
    { name: 'activations.npy', data: activationBytes },
    { name: 'labels.npy', data: labelBytes, crc: 1 },
    { name: 'class_names.npy', data: makeNpy({ descr: '|S1', shape: '(2,)' }, [65, 66]) },
    { name: 'features.npy', data: activationBytes, crc: 2 },
  ])
  const input = await loadAudit(source('b.npz', bundle), { labels })
  expect(input).toMatchObject({ activations: { rows: 3, cols: 2 }, labels: Int32Array.of(5, 7, 5), classNames: ['A', 'B'] })
  expect((await refusal(loadAudit(source('b.npz', bundle)))).code).toBe('bad-checksum')
})

test('a bundle without the arrays says what it holds', async () => {
  const { message } = await refusal(loadAudit(source('b.npz', makeZip([{ name: 'x.npy', data: activationBytes }]))))
  expect(message).toMatch(/^b\.npz: holds x, expected activations and labels too/)
  const torch = await refusal(loadAudit(source('b.pt', makeZip([{ name: 'model/data.pkl', data: labelBytes }]))))
  expect(torch.message).toMatch(/PyTorch file, whose pickle is never read/)
})

test('activations alone are read where labels lie beside them', async () => {
  expect(await loadAudit(activations, { labels })).toMatchObject({ activations: { rows: 3, cols: 2 } })
  expect((await refusal(loadAudit(activations))).message).toMatch(/^labels: missing/)
})

test.each([
  ['PAR1', /is not a sound Parquet file: it has 4 bytes/],
  ['ARROW1', /is an Arrow file, which is not read, expected an audit folder, a \.npz, \.safetensors or Parquet bundle or a \.npy file/],
  ['\x02\0\0\0\0\0\0\0{}', /holds nothing, expected activations and labels too; .*safetensors/],
  ['\x1f\x8b', /gzip/],
  ['{"a": 1}', /is JSON/],
  ['', /is empty/],
  ['x,y\n1,2', /of no format known here/],
])('a file that begins with %j is refused by its format', async (text, message) => {
  const error = await refusal(
    loadAudit(
      source(
        'f',
        Uint8Array.from(text, (character) => character.charCodeAt(0)),
      ),
    ),
  )
  expect(error.message).toMatch(message)
})

test('a pickle is refused with the reason', async () => {
  const error = await refusal(loadAudit(source('f', Uint8Array.of(0x80, 4, 0x95))))
  expect(error.message).toMatch(/unpickling runs code/)
})
