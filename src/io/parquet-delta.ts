import { hostIsLittleEndian } from './file-array.js'
import type { ParquetKind } from './parquet-footer.js'
import { badParquet } from './parquet-metadata.js'
import { makeArray, type ParquetValues } from './parquet-values.js'

/** Blocks of equal steps hold no bits but their header: 228 values a byte as DuckDB writes them, 26 as most others do. */
const maxValuesPerByte = 1024
/** Writers have 128 to 2,048. */
const maxBlockValues = 2 ** 16
const empty = new Uint8Array(0)

/**
 * `length` whole numbers in DELTA_BINARY_PACKED encoding (Parquet's Encodings.md) from the start of `bytes`. Sums wrap around at the
 * column's own 32 or 64 bits; writers that do not know that have deltas of 33 bits in columns of 32, which come out right as well.
 *
 * Throws `InputError` `bad-parquet` where `bytes` break off, have more than 1,024 values a byte, another number of values or blocks of a
 * shape that there is not, and where the column holds no integers.
 */
export function readDeltaIntegers(bytes: Uint8Array, kind: ParquetKind, length: number, where: string): ParquetValues {
  if (kind !== 'int32' && kind !== 'uint32' && kind !== 'int64' && kind !== 'uint64') {
    throw badParquet(where, `a page has integer deltas of ${kind}`)
  }
  return length === 0 ? makeArray(kind, 0, where) : readDeltas(bytes, kind, length, where).values
}

/**
 * `length` byte arrays in DELTA_LENGTH_BYTE_ARRAY encoding: all lengths, then all bytes; views, of which empty ones are one. Throws what
 * `readDeltaIntegers` throws, and `bad-parquet` where a length is negative or reaches beyond `bytes`.
 */
export function readDeltaLengthByteArrays(bytes: Uint8Array, length: number, where: string): Uint8Array[] {
  if (length === 0) return []
  const { values: sizes, end } = readDeltas(bytes, 'int32', length, where)
  const values: Uint8Array[] = []
  let at = end
  for (const size of sizes as Int32Array) {
    if (size < 0) throw badParquet(where, `a page has a value of ${size} bytes`)
    if (size > bytes.length - at) throw badParquet(where, 'a value reaches beyond its page')
    values.push(size === 0 ? empty : bytes.subarray(at, at + size))
    at += size
  }
  return values
}

/**
 * `length` byte arrays in DELTA_BYTE_ARRAY encoding: how many bytes each shares with the one before, then all the rests. Values like the
 * one before are the same array, so that there are at most two arrays for each byte of the page: one takes a byte of its own, or is
 * shorter than the one before. `spend` is told the size of each that repeats a prefix, before it is made, and throws where that is too much.
 *
 * Throws what `readDeltaLengthByteArrays` throws, and `bad-parquet` where a prefix is negative or longer than the value before.
 */
export function readDeltaByteArrays(bytes: Uint8Array, length: number, spend: (byteLength: number) => void, where: string): Uint8Array[] {
  if (length === 0) return []
  const { values: prefixes, end } = readDeltas(bytes, 'int32', length, where)
  const values = readDeltaLengthByteArrays(bytes.subarray(end), length, where)
  let previous: Uint8Array = empty
  for (let index = 0; index < length; index++) {
    const prefix = (prefixes as Int32Array)[index] as number
    const suffix = values[index] as Uint8Array
    if (prefix < 0 || prefix > previous.length) {
      throw badParquet(where, `a value shares ${prefix} bytes with the one before, which has ${previous.length}`)
    }
    if (suffix.length === 0 && prefix === previous.length) values[index] = previous
    else if (prefix > 0) {
      spend(prefix + suffix.length)
      const value = new Uint8Array(prefix + suffix.length)
      value.set(previous.subarray(0, prefix))
      value.set(suffix, prefix)
      values[index] = value
    }
    previous = values[index] as Uint8Array
  }
  return values
}

/** What `readDeltaIntegers` reads, at least one, and where it ends. Nothing is allocated before the header fits the page. */
function readDeltas(
  bytes: Uint8Array,
  kind: 'int32' | 'uint32' | 'int64' | 'uint64',
  length: number,
  where: string,
): { readonly values: ParquetValues; readonly end: number } {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const next = bytes[at++]
      if (next === undefined) throw badParquet(where, 'a page ends inside its deltas')
      value |= BigInt(next & 0x7f) << shift
      if (next < 0x80 && value < 2n ** 64n) return value
    }
    throw badParquet(where, 'a page has a number of more than 64 bits')
  }
  /** The low and the high 32 bits of a signed number. */
  const zigzag = (): [number, number] => {
    const raw = varint()
    const value = (raw >> 1n) ^ -(raw & 1n)
    return [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))]
  }

  const blockValues = Number(varint())
  const miniblocks = Number(varint())
  const declared = Number(varint())
  let [low, high] = zigzag()
  if (blockValues === 0 || blockValues % 128 !== 0 || blockValues > maxBlockValues) {
    throw badParquet(where, `a page has blocks of ${blockValues} deltas, expected a multiple of 128 up to ${maxBlockValues}`)
  }
  const miniblockValues = blockValues / miniblocks
  if (miniblockValues % 32 !== 0) throw badParquet(where, `a page has ${miniblocks} miniblocks in a block of ${blockValues} deltas`)
  if (declared !== length) throw badParquet(where, `a page declares ${declared} deltas for ${length} values`)
  if (length > maxValuesPerByte * bytes.length) {
    throw badParquet(where, `a page of ${bytes.length} bytes declares ${length} values, expected at most ${maxValuesPerByte} a byte`)
  }

  const values = makeArray(kind, length, where) as Int32Array | Uint32Array | BigInt64Array | BigUint64Array
  const words = new Uint32Array(values.buffer)
  const isWide = words.length > length
  const step = isWide ? 2 : 1
  const lowAt = isWide && !hostIsLittleEndian ? 1 : 0
  const put = (index: number) => {
    words[index * step + lowAt] = low
    if (isWide) words[index * step + 1 - lowAt] = high
  }
  put(0)
  for (let filled = 1; filled < length; ) {
    const [leastLow, leastHigh] = zigzag()
    const widths = bytes.subarray(at, at + miniblocks)
    if (widths.length < miniblocks) throw badParquet(where, 'a page ends inside its deltas')
    at += miniblocks
    // miniblocks that no value is left for have a width of any kind, and no bits
    for (let block = 0; block < miniblocks && filled < length; block++) {
      const width = widths[block] as number
      if (width > 64) throw badParquet(where, `a page has deltas of ${width} bits, expected at most 64`)
      const end = Math.min(filled + miniblockValues, length)
      // some writers leave out the padding at the end of a page
      if (at + Math.ceil(((end - filled) * width) / 8) > bytes.length) throw badParquet(where, 'a page ends inside its deltas')
      for (let bit = 0; filled < end; filled++, bit += width) {
        const byte = at + (bit >> 3)
        // sums of three numbers below 2³² and a carry are exact, and >>> 0 takes them modulo 2³²
        low += leastLow + bitsAt(bytes, byte, bit & 7, Math.min(width, 32))
        if (isWide) high = (high + leastHigh + bitsAt(bytes, byte + 4, bit & 7, width - 32) + Math.floor(low / 2 ** 32)) >>> 0
        low >>>= 0
        put(filled)
      }
      at = Math.min(at + (miniblockValues * width) / 8, bytes.length)
    }
  }
  return { values, end: at }
}

/** Up to 32 bits, lowest first, from bit `shift` of byte `at`; none where `width` is not positive. */
function bitsAt(bytes: Uint8Array, at: number, shift: number, width: number): number {
  if (width <= 0) return 0
  // beyond the end there is undefined, which operators of bits take as 0: bits that are masked out
  const [a, b, c, d] = [bytes[at] as number, bytes[at + 1] as number, bytes[at + 2] as number, bytes[at + 3] as number]
  let bits = (a | (b << 8) | (c << 16) | (d << 24)) >>> shift
  if (shift + width > 32) bits |= (bytes[at + 4] as number) << (32 - shift)
  return (bits & (2 ** width - 1)) >>> 0
}
