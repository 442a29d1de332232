import ndarray from 'ndarray'
import { describe, expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { type MatrixInput, toMatrix } from '../../src/core/matrix.js'

const refusal = (input: unknown): InputError => {
  try {
    toMatrix(input as MatrixInput, 'x')
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('it was taken')
}

const values = [1, -2, 3.5, 0, 65504, 2 ** -14]

describe('dense arrays', () => {
  test('a float32 array is viewed, not copied', () => {
    const data = Float32Array.from(values)
    const matrix = toMatrix({ data, rows: 2, cols: 3 }, 'x')
    expect(matrix).toMatchObject({ rows: 2, cols: 3 })
    expect(matrix.data.buffer).toBe(data.buffer)
    expect([...matrix.data]).toEqual(values)
  })

  test('a view into a larger buffer keeps its place', () => {
    const data = Float32Array.of(9, 9, 1, 2, 3, 4).subarray(2)
    expect([...toMatrix({ data, rows: 2, cols: 2 }, 'x').data]).toEqual([1, 2, 3, 4])
  })

  test.each([
    ['Float64Array', Float64Array.from(values), values],
    ['array of numbers', values, values],
    ['Int8Array', Int8Array.of(-128, 0, 127, 1, 2, 3), [-128, 0, 127, 1, 2, 3]],
    ['Uint8Array', Uint8Array.of(255, 0, 127, 1, 2, 3), [255, 0, 127, 1, 2, 3]],
    ['Int16Array', Int16Array.of(-32768, 0, 5, 1, 2, 3), [-32768, 0, 5, 1, 2, 3]],
    ['Int32Array', Int32Array.of(-(2 ** 31), 0, 5, 1, 2, 3), [-(2 ** 31), 0, 5, 1, 2, 3]],
    ['Uint32Array', Uint32Array.of(2 ** 31, 0, 5, 1, 2, 3), [2 ** 31, 0, 5, 1, 2, 3]],
    ['BigInt64Array', BigInt64Array.of(-5n, 2n ** 40n, 0n, 1n, 2n, 3n), [-5, 2 ** 40, 0, 1, 2, 3]],
    ['float16 bits in a Uint16Array', Uint16Array.of(0x3c00, 0xc000, 0x4300, 0x0000, 0x7bff, 0x0400), values],
  ])('%s is converted', (_, data, expected) => {
    const before = [...(data as ArrayLike<number> & Iterable<number>)]
    const matrix = toMatrix({ data: data as ArrayLike<number>, rows: 3, cols: 2 }, 'x')
    expect(matrix.data).toBeInstanceOf(Float32Array)
    expect([...matrix.data]).toEqual(expected)
    expect([...(data as ArrayLike<number> & Iterable<number>)]).toEqual(before)
  })

  const Float16 = (globalThis as { Float16Array?: { from(values: number[]): ArrayLike<number> } }).Float16Array
  test.skipIf(!Float16)('Float16Array is converted', () => {
    const data = Float16?.from(values) as ArrayLike<number>
    expect([...toMatrix({ data, rows: 2, cols: 3 }, 'x').data]).toEqual(values)
  })

  test('no rows or no columns is an empty matrix, at once however many rows there are', () => {
    for (const [rows, cols] of [
      [0, 0],
      [0, 5],
      [5, 0],
      [2 ** 50, 0],
    ] as const) {
      expect(toMatrix({ data: new Float64Array(0), rows, cols }, 'x')).toEqual({ data: new Float32Array(0), rows, cols })
      expect(toMatrix({ data: new Float32Array(0), rows, cols }, 'x')).toEqual({ data: new Float32Array(0), rows, cols })
    }
  })
})

describe('ndarray views', () => {
  const six = () => ndarray(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3])
  test.each([
    ['as it is', () => six(), 2, 3, [1, 2, 3, 4, 5, 6]],
    ['transposed', () => six().transpose(1, 0), 3, 2, [1, 4, 2, 5, 3, 6]],
    ['rows backwards', () => six().step(-1, 1), 2, 3, [4, 5, 6, 1, 2, 3]],
    ['columns backwards', () => six().step(1, -1), 2, 3, [3, 2, 1, 6, 5, 4]],
    ['every second column', () => six().step(1, 2), 2, 2, [1, 3, 4, 6]],
    ['a corner', () => six().lo(1, 1), 1, 2, [5, 6]],
    ['the corner before', () => six().hi(2, 1), 2, 1, [1, 4]],
    [
      'a slice of a cube',
      () =>
        ndarray(
          Float64Array.from({ length: 24 }, (_, i) => i),
          [2, 3, 4],
        ).pick(1, null, null),
      3,
      4,
      [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23],
    ],
    [
      'a column of a cube',
      () =>
        ndarray(
          Float64Array.from({ length: 24 }, (_, i) => i),
          [2, 3, 4],
        ).pick(null, null, 2),
      2,
      3,
      [2, 6, 10, 14, 18, 22],
    ],
    ['a repeated row', () => ndarray(Float64Array.of(1, 2), [3, 2], [0, 1]), 3, 2, [1, 2, 1, 2, 1, 2]],
    ['empty', () => six().hi(0, 3), 0, 3, []],
  ] as const)('%s', (_, view, rows, cols, expected) => {
    const matrix = toMatrix(view() as unknown as MatrixInput, 'x')
    expect(matrix).toMatchObject({ rows, cols })
    expect([...matrix.data]).toEqual(expected)
  })

  test('a dense float32 part of a larger array is viewed', () => {
    const data = Float32Array.from({ length: 12 }, (_, i) => i)
    const matrix = toMatrix(ndarray(data, [4, 3]).lo(2, 0) as unknown as MatrixInput, 'x')
    expect(matrix.data.buffer).toBe(data.buffer)
    expect([...matrix.data]).toEqual([6, 7, 8, 9, 10, 11])
  })

  test('float16 bits are read through strides too', () => {
    const view = ndarray(Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400), [2, 2]).transpose(1, 0)
    expect([...toMatrix(view as unknown as MatrixInput, 'x').data]).toEqual([1, 3, 2, 4])
  })

  test.each([
    ['one dimension', { data: new Float32Array(4), shape: [4], stride: [1], offset: 0 }],
    ['three dimensions', ndarray(new Float32Array(8), [2, 2, 2])],
    ['a view past the end', { data: new Float32Array(4), shape: [2, 2], stride: [3, 1], offset: 0 }],
    ['a view before the start', { data: new Float32Array(4), shape: [2, 2], stride: [-2, 1], offset: 1 }],
    ['a broken offset', { data: new Float32Array(4), shape: [2, 2], stride: [2, 1], offset: Number.NaN }],
    ['a missing offset', { data: new Float32Array(4), shape: [2, 2], stride: [2, 1] }],
    ['a fractional stride', { data: new Float32Array(9), shape: [2, 2], stride: [2.5, 1], offset: 0 }],
    ['a negative shape', { data: new Float32Array(4), shape: [-2, 2], stride: [2, 1], offset: 0 }],
    ['a shape that is no list', { data: new Float32Array(4), shape: 'ab', stride: [2, 1], offset: 0 }],
  ])('%s is refused', (_, input) => {
    expect(refusal(input).code).toBe('bad-shape')
  })

  test('a repeated value that would fill more than memory is refused, not an internal fault', () => {
    expect(refusal({ data: new Float32Array(1), shape: [2 ** 30, 2 ** 20], stride: [0, 0], offset: 0 }).code).toBe('too-large')
  })
})

describe('values that cannot be worked with', () => {
  test.each([
    ['NaN', Number.NaN, 'NaN, expected a finite number'],
    ['an infinity', Number.NEGATIVE_INFINITY, '-Infinity, expected a finite number'],
    ['a float64 beyond float32', 1e39, '1e+39, which float32 cannot hold, expected a finite number'],
  ])('%s is refused with row and column', (_, bad, shown) => {
    const data = new Float64Array(3 * 4000)
    data[2 * 4000 + 1234] = bad
    const error = refusal({ data, rows: 3, cols: 4000 })
    expect(error.code).toBe('not-finite')
    expect(error.details).toEqual({ row: 2, col: 1234, value: String(bad) })
    expect(error.message).toContain(`x: row 2, column 1234 is ${shown}`)
  })

  test('the first offender is named in a float32 array, in a float16 one and through strides', () => {
    expect(refusal({ data: Float32Array.of(0, 1, Number.NaN, Number.NaN), rows: 2, cols: 2 }).details).toMatchObject({ row: 1, col: 0 })
    expect(refusal({ data: Uint16Array.of(0, 0x7c00), rows: 1, cols: 2 }).details).toMatchObject({ row: 0, col: 1, value: 'Infinity' })
    const view = ndarray(Float64Array.of(0, 1e300, 2, 3), [2, 2]).transpose(1, 0)
    expect(refusal(view).details).toMatchObject({ row: 1, col: 0, value: '1e+300' })
  })

  test('the largest float32 is taken', () => {
    expect(toMatrix({ data: [3.4028234663852886e38, -3.4028234663852886e38], rows: 1, cols: 2 }, 'x').data).toHaveLength(2)
  })

  test('what is no number in a plain array is refused, not read as 0 or 1', () => {
    for (const bad of [null, undefined, '5', true, [], 5n]) {
      const error = refusal({ data: [1, 2, bad, 4], rows: 2, cols: 2 })
      expect(error.code).toBe('not-finite')
      expect(error.details).toMatchObject({ row: 1, col: 0 })
    }
  })
})

test.each([
  ['too few values', { data: new Float32Array(5), rows: 2, cols: 3 }, 'bad-shape', 'got 5 values, expected rows × cols = 2 × 3 = 6'],
  ['too many values', { data: new Float32Array(7), rows: 2, cols: 3 }, 'bad-shape', 'got 7 values'],
  ['negative counts', { data: new Float32Array(6), rows: -2, cols: -3 }, 'bad-shape', 'expected whole numbers ≥ 0'],
  ['fractions', { data: new Float32Array(6), rows: 1.5, cols: 4 }, 'bad-shape', 'expected whole numbers ≥ 0'],
  ['missing counts', { data: new Float32Array(6) }, 'bad-shape', 'got rows undefined'],
  ['no data', { rows: 2, cols: 3 }, 'bad-type', 'data is undefined'],
  ['text', { data: 'abcdef', rows: 2, cols: 3 }, 'bad-type', 'data is string'],
  ['a DataView', { data: new DataView(new ArrayBuffer(24)), rows: 2, cols: 3 }, 'bad-type', 'data is object'],
  ['null', null, 'bad-type', 'got null'],
  ['undefined', undefined, 'bad-type', 'got undefined'],
  ['a number', 3, 'bad-type', 'got number'],
])('%s is refused with a message that says what was expected', (_, input, code, message) => {
  const error = refusal(input)
  expect(error.code).toBe(code)
  expect(error.message).toMatch(/^x: /)
  expect(error.message).toContain(message)
})
