import { expect, test } from 'vitest'
import { readThrift, thriftField } from '../../src/io/thrift.js'
import { thriftBinary, thriftI32, thriftI64, thriftList, thriftStruct } from '../../src/io/thrift-writer.js'
import { type Thrift, thriftBytes } from './make-parquet.js'

const text = (value: string) => new TextEncoder().encode(value)

test('values are read as they were written, each field under its own number', () => {
  for (const value of [0, 1, -1, 63, 64, -65, 2 ** 31 - 1, -(2 ** 31), 2 ** 53 - 1]) {
    const { bytes } = thriftStruct({ 1: thriftI32(value), 9: thriftI64(value), 3: undefined, 15: thriftBinary(text('é')) })
    const { struct, end } = readThrift(bytes, 'a')
    expect(struct).toEqual([1, value, 9, value, 15, text('é')])
    expect(end).toBe(bytes.length)
  }
  for (const size of [0, 1, 14, 15, 200]) {
    const items = Array.from({ length: size }, (_, index) => index)
    const { struct } = readThrift(thriftStruct({ 2: thriftList(items.map(thriftI32)) }).bytes, 'a')
    expect(thriftField(struct, 2)).toEqual(items)
  }
})

test('a field that is copied as it is encoded is byte for byte what it was', () => {
  const whole: Thrift = {
    struct: {
      2: { list: [{ struct: { 1: { bool: true }, 4: { text: 'a' } } }, { struct: {} }] },
      3: { i64: 2n ** 60n },
      5: { bool: false },
      17: { bytes: Uint8Array.of(1, 2) },
    },
  }
  const bytes = thriftBytes(whole)
  const { encoded } = readThrift(bytes, 'a')
  expect([...encoded.keys()]).toEqual([2, 3, 5, 17])
  expect(thriftStruct(Object.fromEntries(encoded)).bytes).toEqual(bytes)
})
