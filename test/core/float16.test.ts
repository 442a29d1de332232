import { expect, test } from 'vitest'
import { float16ToFloat32Table } from '../../src/core/float16.js'

const table = float16ToFloat32Table()

test('reads the bit patterns of IEEE 754 binary16', () => {
  expect(table).toHaveLength(65536)
  expect(table[0x3c00]).toBe(1)
  expect(table[0xc000]).toBe(-2)
  expect(table[0x7bff]).toBe(65504)
  expect(table[0x0001]).toBe(2 ** -24)
  expect(table[0x03ff]).toBe(1023 * 2 ** -24)
  expect(table[0x0400]).toBe(2 ** -14)
  expect(table[0x3555]).toBe(0.333251953125)
  expect(Object.is(table[0x8000], -0)).toBe(true)
  expect(table[0x7c00]).toBe(Number.POSITIVE_INFINITY)
  expect(table[0xfc00]).toBe(Number.NEGATIVE_INFINITY)
  expect(table[0x7e00]).toBeNaN()
})

const view = new DataView(new ArrayBuffer(2)) as DataView & { getFloat16?(at: number): number }

test.skipIf(!view.getFloat16)('agrees with DataView.getFloat16 on all 65,536 patterns', () => {
  for (let bits = 0; bits < 65536; bits++) {
    view.setUint16(0, bits)
    const expected = view.getFloat16?.(0)
    if (!Object.is(table[bits], expected)) expect(table[bits], bits.toString(16)).toBe(expected)
  }
})

test('is built once', () => {
  expect(float16ToFloat32Table()).toBe(table)
})
