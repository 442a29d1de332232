import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { readNpy, writeNpyFloat32 } from '../../src/io/npy.js'
import { makeNpy } from './make-npy.js'

const folder = join(import.meta.dirname, '../fixtures/npy')
const expected: Record<string, { dtype: string; shape: number[]; values: (number | string | boolean)[] }> = JSON.parse(
  readFileSync(join(folder, 'expected.json'), 'utf8'),
)
const names = readdirSync(folder).filter((name) => name.endsWith('.npy'))

const read = (bytes: Uint8Array) => readNpy(memorySource('a.npy', bytes), 'a.npy')
const readFixture = (name: string) => read(readFileSync(join(folder, name)))

async function refusal(bytes: Uint8Array): Promise<InputError> {
  const error = await read(bytes).then(
    () => null,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(InputError)
  expect(error.message).toMatch(/^a\.npy: /)
  return error
}

describe('arrays that numpy wrote', () => {
  const arrays: Record<string, unknown> = {
    bool: Uint8Array,
    uint16: Int32Array,
    float16: Uint16Array,
    int64: BigInt64Array,
    uint64: BigUint64Array,
    float32: Float32Array,
    string: Array,
    bytes: Array,
  }
  test.each(names.filter((name) => !name.startsWith('saved-')))('%s is read in C order', async (name) => {
    const golden = expected[name.replace('.npy', '')]
    const { dtype, shape, data } = await readFixture(name)
    expect({ dtype, shape }).toEqual({ dtype: golden?.dtype, shape: golden?.shape })
    if (arrays[dtype]) expect(data).toBeInstanceOf(arrays[dtype])
    expect(Array.from<unknown>(data as ArrayLike<unknown>)).toEqual(
      golden?.values.map((value) => (/^u?int64$/.test(dtype) ? BigInt(value) : typeof value === 'boolean' ? Number(value) : value)),
    )
  })

  test.each(names.filter((name) => name.startsWith('saved-')))('%s is written byte for byte', async (name) => {
    const bytes = readFileSync(join(folder, name))
    const { data, shape } = await read(bytes)
    expect(Buffer.from(writeNpyFloat32(data as Float32Array, shape)).equals(bytes)).toBe(true)
  })
})

test('a payload of several blocks is read front to back, once', async () => {
  const values = Float32Array.from({ length: 10_000_000 }, (_, index) => index)
  const bytes = writeNpyFloat32(values, [5000, 2000])
  const inner = memorySource('a.npy', bytes)
  const slices: [number, number][] = []
  const source: ByteSource = {
    ...inner,
    slice: (start, end) => {
      if (start >= 128) slices.push([start, end])
      return inner.slice(start, end)
    },
  }
  const { data } = await readNpy(source, 'a.npy')
  expect(slices.length).toBeGreaterThan(2)
  expect(slices.every(([start], index) => start === (slices[index - 1]?.[1] ?? 128))).toBe(true)
  expect((data as Float32Array).every((value, index) => value === index)).toBe(true)
})

test('a source that gives less than it said is an error', async () => {
  const bytes = writeNpyFloat32(new Float32Array(8), [8])
  const source: ByteSource = { name: 'a', byteLength: bytes.length, slice: async (start, end) => bytes.subarray(start, Math.min(end, 140)) }
  await expect(readNpy(source, 'a.npy')).rejects.toMatchObject({ code: 'truncated' })
})

test('keys in any order, double quotes, any spacing, and no trailing comma are read', async () => {
  const header = '  { "shape":( 2 ,\t1L ) ,\n"fortran_order" : True, "descr":"<i2" }  '
  expect(await read(makeNpy(header, Int16Array.of(7, 8)))).toEqual({ dtype: 'int16', shape: [2, 1], data: Int16Array.of(7, 8) })
})

test('a boolean byte other than 0 and 1 reads as 1', async () => {
  expect((await read(makeNpy({ descr: '|b1', shape: '(3,)' }, [0, 1, 200]))).data).toEqual(Uint8Array.of(0, 1, 1))
})

test('object arrays are refused with the reason, and never unpickled', async () => {
  const { code, message } = await refusal(makeNpy({ descr: '|O' }, [0x80, 4, 0x4e, 0x2e]))
  expect(code).toBe('object-array')
  expect(message).toMatch(/unpickling runs code/)
})

test.each([
  ['structured', "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 'unsupported-dtype'],
  ['complex', { descr: '<c8' }, 'unsupported-dtype'],
  ['long double', { descr: '<f16' }, 'unsupported-dtype'],
  ['dates', { descr: '<M8[ns]' }, 'unsupported-dtype'],
  ['void', { descr: '|V8' }, 'unsupported-dtype'],
  ['strings of no width', { descr: '<U0', shape: '(9007199254740991,)' }, 'unsupported-dtype'],
  ['a property of every object', { descr: 'constructor' }, 'unsupported-dtype'],
  ['negative dimensions', { shape: '(-1, 4)' }, 'bad-header'],
  ['fractional dimensions', { shape: '(1.5,)' }, 'bad-header'],
  ['a dimension past 2⁵³', { shape: '(9007199254740993,)' }, 'bad-header'],
  ['a dimension of thirty digits', { shape: `(${'9'.repeat(30)},)` }, 'bad-header'],
  ['a product that overflows 64 bits to 1', { shape: '(4294967296, 4294967296, 1)' }, 'too-large'],
  ['a product past float64', { shape: `(${'4503599627370496, '.repeat(30)})` }, 'too-large'],
  ['more bytes than float64 counts', { descr: '<f8', shape: '(9007199254740991,)' }, 'too-large'],
  ['a hundred million short strings', { descr: '|S1', shape: '(100000000,)' }, 'too-large'],
  ['too many dimensions', { shape: `(${'1, '.repeat(65)})` }, 'bad-header'],
  ['a number where a tuple belongs', { shape: '(3)' }, 'bad-header'],
  ['a call', "{'descr': '<f4', 'fortran_order': False, 'shape': open('x'), }", 'bad-header'],
  ['an unknown key', "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), '__proto__': 1}", 'bad-header'],
  ['a key twice', "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", 'bad-header'],
  ['a missing key', "{'descr': '<f4', 'shape': (1,)}", 'bad-header'],
  ['text behind the dictionary', "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} + 1", 'bad-header'],
  ['no closing brace', "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", 'bad-header'],
  ['nothing', '', 'bad-header'],
  ['a petabyte that is not there', { shape: '(1000000, 1000000, 250)' }, 'truncated'],
] as const)('a header with %s is refused', async (_, header, code) => {
  expect((await refusal(makeNpy(header, new Uint8Array(4)))).code).toBe(code)
})

test.each([
  [[2, 0], 0x7fffffff, 'header-too-large'],
  [[3, 0], 0xffffffff, 'header-too-large'],
  [[1, 0], 0xffff, 'truncated'],
  [[4, 0], undefined, 'unsupported-version'],
  [[1, 1], undefined, 'unsupported-version'],
] as const)('version %s with a declared header of %s bytes is refused', async (version, length, code) => {
  expect((await refusal(makeNpy({}, new Uint8Array(4), version, length))).code).toBe(code)
})

test('a version 3 header that is not UTF-8 is refused', async () => {
  const bytes = makeNpy({}, new Uint8Array(4), [3, 0])
  bytes[14] = 0xff
  expect((await refusal(bytes)).code).toBe('bad-header')
})

test('files that are too short or too long by a byte are refused', async () => {
  const good = makeNpy({ shape: '(2, 2)' }, new Float32Array(4))
  expect((await read(good)).shape).toEqual([2, 2])
  expect((await refusal(good.subarray(0, -1))).code).toBe('truncated')
  expect((await refusal(makeNpy({ shape: '(2, 2)' }, new Uint8Array(17)))).code).toBe('trailing-bytes')
  expect((await refusal(good.subarray(0, 11))).code).toBe('truncated')
  expect((await refusal(good.subarray(0, 5))).code).toBe('bad-magic')
  expect((await refusal(new Uint8Array(0))).code).toBe('bad-magic')
})

test('strings that are no Unicode are refused', async () => {
  const wide = (point: number) => makeNpy({ descr: '<U2', shape: '(2,)' }, Uint32Array.of(65, 0, point, 66))
  expect((await read(wide(0x1f6d1))).data).toEqual(['A', '🛑B'])
  expect((await refusal(wide(0x110000))).code).toBe('bad-string')
  expect((await refusal(wide(0xd83d))).code).toBe('bad-string')
  expect((await refusal(makeNpy({ descr: '|S2' }, [0xc3, 0x28]))).code).toBe('bad-string')
})

test('what a header says is shown without its control characters', async () => {
  const { message } = await refusal(makeNpy("{'descr': '\u001b[31m\u202e', 'fortran_order': False, 'shape': (1,)}"))
  expect(message).toContain('\\u{1b}[31m')
  expect(message).not.toContain('\u001b')
})

test('writing refuses a shape that does not fit the values', () => {
  expect(() => writeNpyFloat32(new Float32Array(6), [2, 2])).toThrow(InputError)
  expect(() => writeNpyFloat32(new Float32Array(6), [-2, -3])).toThrow(InputError)
})
