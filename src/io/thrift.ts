import { InputError } from '../core/errors.js'

/** A struct of Thrift's compact protocol: field id, value, field id, value, … */
export type ThriftStruct = readonly (number | ThriftValue)[] & { readonly thrift?: never }
export type ThriftValue = boolean | number | bigint | Uint8Array | readonly ThriftValue[] | ThriftStruct

/** A value as it is encoded, with its type in Thrift's compact protocol. */
export interface EncodedThrift {
  readonly type: number
  readonly bytes: Uint8Array
}

/** Deeper than any Parquet footer, so that a crafted one cannot exhaust the stack. */
const maxDepth = 24

/**
 * Reads one struct in Thrift's compact protocol from the start of `bytes`, and gives its fields as they are encoded too (the first where
 * there are several): views. Every element takes at least one byte, so that what is allocated is bounded by the bytes, whatever lengths
 * they declare. Throws `InputError` `bad-thrift`.
 */
export function readThrift(
  bytes: Uint8Array,
  where: string,
): { readonly struct: ThriftStruct; readonly encoded: ReadonlyMap<number, EncodedThrift>; readonly end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const encoded = new Map<number, EncodedThrift>()
  let at = 0
  const fail = (what: string): never => {
    throw new InputError(
      'bad-thrift',
      `${where}: ${what} at byte ${at} of its metadata, expected Thrift's compact protocol; write it again`,
    )
  }
  const byte = (): number => (at < bytes.length ? (bytes[at++] as number) : fail('an end'))
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const next = byte()
      value |= BigInt(next & 0x7f) << shift
      if (next < 0x80) return value
    }
    return fail('a number too long')
  }
  const length = (): number => {
    const value = varint()
    return value <= BigInt(bytes.length - at) ? Number(value) : fail(`a length of ${value}`)
  }
  const zigzag = (): number | bigint => {
    const raw = varint()
    const value = (raw >> 1n) ^ -(raw & 1n)
    return Number.isSafeInteger(Number(value)) ? Number(value) : value
  }
  const element = (type: number, depth: number): ThriftValue => {
    switch (type) {
      case 1:
      case 2:
        return byte() === 1
      case 3:
        return (byte() << 24) >> 24
      case 4:
      case 5:
      case 6:
        return zigzag()
      case 7: {
        if (at + 8 > bytes.length) fail('an end')
        at += 8
        return view.getFloat64(at - 8, true)
      }
      case 8: {
        const size = length()
        at += size
        return bytes.subarray(at - size, at)
      }
      case 9:
      case 10: {
        const header = byte()
        const size = header >> 4 === 15 ? length() : header >> 4
        const list: ThriftValue[] = []
        for (let index = 0; index < size; index++) list.push(element(header & 15, depth + 1))
        return list
      }
      case 12:
        return struct(depth + 1)
      default:
        return fail(`type ${type}`)
    }
  }
  const struct = (depth: number): ThriftStruct => {
    if (depth > maxDepth) fail('structs too deep')
    const fields: (number | ThriftValue)[] = []
    for (let id = 0; ; ) {
      const header = byte()
      if (header === 0) return fields
      id = header >> 4 === 0 ? Number(zigzag()) : id + (header >> 4)
      const type = header & 15
      const start = at
      fields.push(id, type === 1 || type === 2 ? type === 1 : element(type, depth))
      if (depth === 0 && !encoded.has(id)) encoded.set(id, { type, bytes: bytes.subarray(start, at) })
    }
  }
  return { struct: struct(0), encoded, end: at }
}

/** A field's value, the first where there are several. */
export function thriftField(struct: ThriftStruct, id: number): ThriftValue | undefined {
  for (let at = 0; at < struct.length; at += 2) if (struct[at] === id) return struct[at + 1] as ThriftValue
  return undefined
}
