import { expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { compareLabels, type LabelsInput, toLabels } from '../../src/core/labels.js'

test.each([
  ['Int8Array', Int8Array.of(-128, 0, 127)],
  ['Uint8Array', Uint8Array.of(0, 255)],
  ['Int16Array', Int16Array.of(-32768, 3)],
  ['Int32Array', Int32Array.of(-1, 2 ** 31 - 1)],
  ['Uint32Array', Uint32Array.of(2 ** 32 - 1)],
  ['Float32Array of whole numbers', Float32Array.of(1, 2, -3)],
  ['Float64Array of whole numbers', Float64Array.of(2 ** 53 - 1)],
  ['an array of numbers', [3, 1, 2]],
  ['an array of strings', ['stop', '', '60']],
])('%s is read as it is', (_, labels) => {
  expect(toLabels(labels as LabelsInput, 'labels')).toEqual([...labels])
})

test('64-bit integers that a number holds become numbers, larger ones decimal strings, none loses a digit', () => {
  expect(toLabels(BigInt64Array.of(5n, -(2n ** 53n - 1n), 2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n)), 'labels')).toEqual([
    5,
    -(2 ** 53 - 1),
    '9007199254740992',
    '9007199254740993',
    '-9223372036854775808',
  ])
  expect(toLabels(BigUint64Array.of(2n ** 64n - 1n), 'labels')).toEqual(['18446744073709551615'])
})

test('minus zero is zero', () => {
  expect(Object.is(toLabels([-0], 'labels')[0], 0)).toBe(true)
})

test.each([
  ['a fraction', Float32Array.of(0, 1.5), 1, '1.5'],
  ['NaN', Float64Array.of(0, 1, Number.NaN), 2, 'NaN'],
  ['an infinity', [Number.POSITIVE_INFINITY], 0, 'Infinity'],
  ['a number that float64 cannot hold exactly', [2 ** 53], 0, '9007199254740992'],
  ['null', [1, null], 1, 'null'],
  ['a hole', new Array(2), 0, 'undefined'],
  ['a boolean', [true], 0, 'true'],
])('%s is refused with its row', (_, labels, row, shown) => {
  let error: InputError | undefined
  try {
    toLabels(labels as LabelsInput, 'preds')
  } catch (caught) {
    error = caught as InputError
  }
  expect(error).toBeInstanceOf(InputError)
  expect(error?.code).toBe('bad-label')
  expect(error?.details).toEqual({ row })
  expect(error?.message).toContain(`preds: row ${row} is ${shown}, expected a whole number`)
})

test.each([null, undefined, 'abc', 5, {}, new DataView(new ArrayBuffer(4)), { length: 2, 0: 1, 1: 2 }])(
  '%o is not a list of labels',
  (given) => {
    expect(() => toLabels(given as never, 'labels')).toThrow(/^labels: got .*, expected a typed array, or an array/)
  },
)

test('labels sort by value, numbers before strings, strings by code unit', () => {
  const sorted = ['b', 10, 'B', -1, 9, 'a', '10', ''].sort(compareLabels)
  expect(sorted).toEqual([-1, 9, 10, '', '10', 'B', 'a', 'b'])
  expect(compareLabels('a', 'a')).toBe(0)
  expect(compareLabels(2, 2)).toBe(0)
})
