import { InputError } from '../core/errors.js'
import { type ByteSource, readBytes } from '../io/byte-source.js'
import { concatBytes } from '../io/concat-bytes.js'

/** A field of a message: its number and its value, a whole number (varint), the bytes of a fixed-size number, or a range of bytes. */
export type Field =
  | { readonly number: number; readonly wire: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly wire: 'fixed'; readonly start: number; readonly end: number }
  | { readonly number: number; readonly wire: 'bytes'; readonly start: number; readonly end: number }

/** Bytes of a file by absolute position, `start` … `end − 1`. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>

const windowBytes = 64 * 1024

/** Reads through a window, so that a file whose heavy fields are stepped over is read in its headers only. */
export function windowedReader(source: ByteSource, where: string): ReadRange {
  let window = new Uint8Array(0)
  let windowStart = 0
  return async (start, end) => {
    if (start < windowStart || end > windowStart + window.byteLength) {
      window = await readBytes(source, start, Math.min(Math.max(end, start + windowBytes), source.byteLength), where)
      windowStart = start
    }
    return window.subarray(start - windowStart, end - windowStart)
  }
}

/**
 * The fields of the protocol-buffer message in bytes `start` … `end − 1`, in order; what is inside a field of bytes is not read. Groups
 * (deprecated wire types 3 and 4) are refused. Throws `InputError` `bad-protobuf` with the offset where it goes wrong.
 */
export async function* readFields(read: ReadRange, range: { start: number; end: number }, where: string): AsyncGenerator<Field> {
  const { end } = range
  let at = range.start
  const fail = (what: string): never => {
    throw new InputError('bad-protobuf', `${where}: ${what} at byte ${at}, expected a protocol-buffer message; export the model again`, {
      at,
    })
  }
  while (at < end) {
    const head = await read(at, Math.min(at + 20, end))
    const tag = varint(head, 0) ?? fail('a field without an end')
    if (tag.value > 0xffffffffn) fail('a field number beyond 2²⁹')
    const number = Number(tag.value >> 3n)
    const wire = Number(tag.value & 7n)
    if (number === 0) fail('field number 0')
    const body = at + tag.bytes
    if (wire === 0) {
      const value = varint(head, tag.bytes) ?? fail('a number without an end')
      at = body + value.bytes
      yield { number, wire: 'varint', value: value.value }
    } else if (wire === 1 || wire === 5) {
      const stop = body + (wire === 1 ? 8 : 4)
      if (stop > end) fail('a field that runs beyond its message')
      at = stop
      yield { number, wire: 'fixed', start: body, end: stop }
    } else if (wire === 2) {
      const length = varint(head, tag.bytes) ?? fail('a length without an end')
      const start = body + length.bytes
      if (length.value > BigInt(end - start)) fail(`a field of ${length.value} bytes where ${end - start} are left`)
      at = start + Number(length.value)
      yield { number, wire: 'bytes', start, end: at }
    } else fail(`wire type ${wire}`)
  }
}

/** A base-128 number of at most 64 bits and how many bytes it takes; null where it does not end within the bytes. */
function varint(bytes: Uint8Array, start: number): { value: bigint; bytes: number } | null {
  let value = 0n
  for (let index = 0; index < 10; index++) {
    const byte = bytes[start + index]
    if (byte === undefined) return null
    value |= BigInt(byte & 0x7f) << BigInt(7 * index)
    if (byte < 0x80) return value < 2n ** 64n ? { value, bytes: index + 1 } : null
  }
  return null
}

/** The numbers of a packed repeated field. Throws `InputError` `bad-protobuf`. */
export function packedVarints(bytes: Uint8Array, where: string): bigint[] {
  const values: bigint[] = []
  for (let at = 0; at < bytes.length; ) {
    const next = varint(bytes, at)
    if (!next) throw new InputError('bad-protobuf', `${where}: a list of numbers that does not end; export the model again`)
    values.push(next.value)
    at += next.bytes
  }
  return values
}

/** A field of bytes: its number, its length, its bytes. For writing. */
export function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  return concatBytes([varintBytes((number << 3) | 2), varintBytes(bytes.length), bytes])
}

/** A field with a whole number that is not negative. For writing. */
export function varintField(number: number, value: number): Uint8Array {
  return concatBytes([varintBytes(number << 3), varintBytes(value)])
}

function varintBytes(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return Uint8Array.from([...bytes, rest])
}
