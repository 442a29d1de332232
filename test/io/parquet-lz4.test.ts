import { expect, it } from 'vitest'
import { unlz4 } from '../../src/io/parquet-lz4.js'

const text = new TextEncoder().encode('abcabcabcabcabcabcab!')
/** Three literals, a match of 17 bytes at distance 3, one literal. */
const block = [0x3f - 2, ...text.subarray(0, 3), 3, 0, 0x10, 0x21]
const big = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
const framed = (...blocks: number[][]) => Uint8Array.from(blocks.flatMap((own) => [...big(text.length), ...big(own.length), ...own]))

it('reads a plain block and one or more in Hadoop’s framing, empty ones among them', () => {
  const [plain, one] = [unlz4(Uint8Array.from(block), text.length), unlz4(framed(block), text.length)]
  expect(new TextDecoder().decode(plain)).toBe(new TextDecoder().decode(text))
  expect(one).toEqual(text)
  const two = Uint8Array.from([...framed(block), ...big(0), ...big(0), ...framed(block)])
  expect(unlz4(two, 2 * text.length)).toEqual(Uint8Array.from([...text, ...text]))
})

it('ends where lengths are beyond the page, or would be below 0 as signed numbers', () => {
  for (const [unpacked, packed] of [
    [0, 0xfffffff8],
    [0xffffffff, 0xffffffff],
    [0, 0x80000000],
    [21, 1000],
    [1000, 8],
  ] as const) {
    const lie = Uint8Array.from([...big(unpacked), ...big(packed), ...block, ...block])
    expect(() => unlz4(lie, text.length)).toThrow()
  }
})
