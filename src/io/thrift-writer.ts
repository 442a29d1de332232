import { concatBytes } from './concat-bytes.js'
import type { EncodedThrift } from './thrift.js'

/** Whole numbers of 32 and 64 bits in Thrift's compact protocol, exact up to 2⁵³. */
export const thriftI32 = (value: number): EncodedThrift => ({ type: 5, bytes: zigzag(value) })
export const thriftI64 = (value: number): EncodedThrift => ({ type: 6, bytes: zigzag(value) })

/** Bytes, or text in UTF-8. */
export function thriftBinary(bytes: Uint8Array): EncodedThrift {
  return { type: 8, bytes: concatBytes([varint(BigInt(bytes.length)), bytes]) }
}

/** A list of values of one type, of structs where it is empty. */
export function thriftList(items: readonly EncodedThrift[]): EncodedThrift {
  const type = items[0]?.type ?? 12
  const header =
    items.length < 15 ? [Uint8Array.of((items.length << 4) | type)] : [Uint8Array.of(0xf0 | type), varint(BigInt(items.length))]
  return { type: 9, bytes: concatBytes([...header, ...items.map(({ bytes }) => bytes)]) }
}

/** A struct of fields by id, at most 15 apart; those that are undefined are left out. */
export function thriftStruct(fields: Readonly<Record<number, EncodedThrift | undefined>>): EncodedThrift {
  const parts: Uint8Array[] = []
  let last = 0
  // keys that are whole numbers come in their order
  for (const [key, field] of Object.entries(fields)) {
    if (!field) continue
    const id = Number(key)
    parts.push(Uint8Array.of(((id - last) << 4) | field.type), field.bytes)
    last = id
  }
  return { type: 12, bytes: concatBytes([...parts, Uint8Array.of(0)]) }
}

function zigzag(value: number): Uint8Array {
  const wide = BigInt(value)
  return varint(BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n)))
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let left = value
  for (; left >= 0x80n; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80)
  return Uint8Array.of(...bytes, Number(left))
}
