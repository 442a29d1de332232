import { InputError } from '../core/errors.js'
import type { ByteSource } from './byte-source.js'
import { ByteWindow } from './byte-window.js'
import { concatBytes } from './concat-bytes.js'

/** A field of a message: its number, and where its bytes are (of a range of bytes, what it holds). */
export interface Field {
  readonly number: number
  readonly wire: 'varint' | 'fixed' | 'bytes'
  readonly start: number
  readonly end: number
  /** Of a varint, as an unsigned number of 64 bits; 0 of the others. */
  readonly value: bigint
}

/** Bytes of a file by absolute position, `start` … `end − 1`. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>

/**
 * Reads through a window, so that a file whose heavy fields are stepped over is read in its headers only. Reads that are asked for at the same time
 * are done one after the other: each moves the window.
 */
export function windowedReader(source: ByteSource): ReadRange {
  const window = new ByteWindow(source)
  let before: Promise<unknown> = Promise.resolve()
  return (start, end) => {
    const read = before.then(async () => {
      await window.fill(start, end - start)
      return window.bytes.subarray(start - window.start, end - window.start)
    })
    before = read.catch(() => undefined)
    return read
  }
}

/** A tag and a length have at most ten bytes each. */
const headBytes = 20

/**
 * The fields of the protocol-buffer message in bytes `start` … `end − 1`, in order; what is inside a field of bytes is not read. Groups
 * (deprecated wire types 3 and 4) are refused. Throws `InputError` `bad-protobuf` with the offset where it goes wrong.
 */
export async function* readFields(read: ReadRange, range: { start: number; end: number }, where: string): AsyncGenerator<Field> {
  for (let at = range.start; at < range.end; ) {
    const field = fieldAt(await read(at, Math.min(at + headBytes, range.end)), { at, from: at, end: range.end }, where)
    at = field.end
    yield field
  }
}

/** The same by calls, many times as fast where there are many fields: whoever visits one is waited for only where it reads on. */
export class ProtobufReader {
  readonly where: string
  private readonly window: ByteWindow

  constructor(source: ByteSource, where: string, signal?: AbortSignal) {
    this.where = where
    this.window = new ByteWindow(source, signal)
  }

  /** Calls `visit` with each field of the message in `start` … `end − 1`. Throws as `readFields` does. */
  async message(start: number, end: number, visit: (field: Field) => Promise<void> | void): Promise<void> {
    const { window, where } = this
    for (let at = start; at < end; ) {
      if (!window.holds(at, headBytes)) await window.fill(at, headBytes)
      const field = fieldAt(window.bytes, { at, from: window.start, end }, where)
      at = field.end
      const visited = visit(field)
      if (visited) await visited
    }
  }

  /** The text of a field, cut where it is long. */
  async text({ start, end }: Field, maxBytes = 4096): Promise<string> {
    const length = Math.min(end - start, maxBytes)
    await this.window.fill(start, length)
    return new TextDecoder().decode(this.window.bytes.subarray(start - this.window.start, start - this.window.start + length))
  }
}

/** For what is wrong with a message at a byte of the file. */
export function protobufError(where: string, what: string, at: number): InputError {
  return new InputError('bad-protobuf', `${where}: ${what} at byte ${at}, expected a protocol-buffer message; export the model again`, {
    at,
  })
}

/** The field at a place of the file: `bytes` begin at `from`, the message ends at `end`. */
function fieldAt(
  bytes: Uint8Array,
  { at, from, end }: { readonly at: number; readonly from: number; readonly end: number },
  where: string,
): Field {
  const until = Math.min(bytes.length, end - from)
  const body = readVarint(bytes, at - from, until)
  if (body < 0) throw protobufError(where, 'a field without an end', at)
  if (varint.high > 0) throw protobufError(where, 'a field number beyond 2²⁹', at)
  const [number, wire] = [varint.low >>> 3, varint.low & 7]
  if (number === 0) throw protobufError(where, 'field number 0', at)
  if (wire === 0) {
    const next = readVarint(bytes, body, until)
    if (next < 0) throw protobufError(where, 'a number without an end', at)
    return new Head(number, 'varint', from + body, from + next, varint.low, varint.high)
  }
  if (wire === 1 || wire === 5) {
    const next = from + body + (wire === 1 ? 8 : 4)
    if (next > end) throw protobufError(where, 'a field that runs beyond its message', at)
    return new Head(number, 'fixed', from + body, next)
  }
  if (wire !== 2) throw protobufError(where, `wire type ${wire}`, at)
  const start = readVarint(bytes, body, until)
  if (start < 0) throw protobufError(where, 'a length without an end', at)
  const length = varint.high * 2 ** 32 + varint.low
  if (length > end - from - start) throw protobufError(where, `a field of ${length} bytes where ${end - from - start} are left`, at)
  return new Head(number, 'bytes', from + start, from + start + length)
}

class Head implements Field {
  readonly number: number
  readonly wire: Field['wire']
  readonly start: number
  readonly end: number
  private readonly low: number
  private readonly high: number

  constructor(number: number, wire: Field['wire'], start: number, end: number, low = 0, high = 0) {
    this.number = number
    this.wire = wire
    this.start = start
    this.end = end
    this.low = low
    this.high = high
  }

  get value(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low)
  }
}

/** The halves of the number that was read last: this is done for every field of a model of gigabytes. */
const varint = { low: 0, high: 0 }

/** Reads a base-128 number of at most 64 bits, and returns where it ends; -1 where it does not end before `until`. */
function readVarint(bytes: Uint8Array, start: number, until: number): number {
  let [low, high] = [0, 0]
  for (let index = 0; index < 10; index++) {
    if (start + index >= until) return -1
    const byte = bytes[start + index] as number
    const bits = byte & 0x7f
    if (index < 4) low |= bits << (7 * index)
    else if (index === 4) {
      low |= bits << 28
      high = bits >>> 4
    } else high |= bits << (7 * index - 32)
    if (byte >= 0x80) continue
    if (index === 9 && byte > 1) return -1
    varint.low = low >>> 0
    varint.high = high >>> 0
    return start + index + 1
  }
  return -1
}

/** The numbers of a packed repeated field. Throws `InputError` `bad-protobuf`. */
export function packedVarints(bytes: Uint8Array, where: string): bigint[] {
  const values: bigint[] = []
  for (let at = 0; at < bytes.length; ) {
    at = readVarint(bytes, at, bytes.length)
    if (at < 0) throw new InputError('bad-protobuf', `${where}: a list of numbers that does not end; export the model again`)
    values.push((BigInt(varint.high) << 32n) | BigInt(varint.low))
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
