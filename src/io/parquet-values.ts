import { InputError } from '../core/errors.js'
import { type ArrayData, hostIsLittleEndian, numericDtypes, swapWords } from './file-array.js'
import type { ParquetKind } from './parquet-footer.js'
import { badParquet } from './parquet-metadata.js'

const numpyCodes: Readonly<Partial<Record<ParquetKind, string>>> = {
  int32: 'i4',
  uint32: 'u4',
  int64: 'i8',
  uint64: 'u8',
  float16: 'f2',
  float32: 'f4',
  float64: 'f8',
}

/** Values of a column: byte arrays where it is read as the bytes that it is. */
export type ParquetValues = ArrayData | Uint8Array[]

/** An array for `length` values of a kind. */
export function makeArray(kind: Exclude<ParquetKind, 'binary'>, length: number, where: string): ArrayData
export function makeArray(kind: ParquetKind, length: number, where: string): ParquetValues
export function makeArray(kind: ParquetKind, length: number, where: string): ParquetValues {
  try {
    switch (kind) {
      case 'string':
        return new Array<string>(length).fill('')
      case 'binary':
        return new Array<Uint8Array>(length).fill(new Uint8Array(0))
      case 'bool':
        return new Uint8Array(length)
      case 'int32':
        return new Int32Array(length)
      case 'uint32':
        return new Uint32Array(length)
      case 'int64':
        return new BigInt64Array(length)
      case 'uint64':
        return new BigUint64Array(length)
      case 'float16':
        return new Uint16Array(length)
      case 'float32':
        return new Float32Array(length)
      case 'float64':
        return new Float64Array(length)
    }
  } catch (cause) {
    throw new InputError('too-large', `${where}: ${length} values do not fit into memory; use fewer rows`, { length }, cause)
  }
}

/** `length` values in PLAIN encoding from the start of `bytes`. */
export function readPlain(bytes: Uint8Array, kind: ParquetKind, length: number, where: string): ParquetValues {
  if (kind === 'binary' || kind === 'string') return ofByteArrays(readByteArrays(bytes, length, where), kind, where)
  if (kind === 'bool') {
    if (length > 8 * bytes.length) throw badParquet(where, 'a page ends before its values')
    return Uint8Array.from({ length }, (_, index) => ((bytes[index >> 3] as number) >> (index & 7)) & 1)
  }
  const dtype = numericDtypes[numpyCodes[kind] as string]
  if (!dtype) throw new Error('unreachable: all other kinds are numeric')
  if (length * dtype.itemBytes > bytes.length) throw badParquet(where, 'a page ends before its values')
  const own = bytes.slice(0, length * dtype.itemBytes) as Uint8Array<ArrayBuffer>
  if (!hostIsLittleEndian) swapWords(own, dtype.wordBytes)
  return dtype.decode(own, length, where)
}

/** The k-th bytes of all values together, for each k. */
export function readByteStreamSplit(bytes: Uint8Array, kind: ParquetKind, length: number, where: string): ParquetValues {
  const itemBytes = numericDtypes[numpyCodes[kind] ?? '']?.itemBytes
  if (itemBytes === undefined) throw badParquet(where, `a page has split streams of ${kind}`)
  return readPlain(joinStreams(bytes, itemBytes, length, where), kind, length, where)
}

/** `length` values of `itemBytes` bytes each, one behind the other, from the k-th bytes of all together. */
export function joinStreams(bytes: Uint8Array, itemBytes: number, length: number, where: string): Uint8Array {
  if (length * itemBytes > bytes.length) throw badParquet(where, 'a page ends before its values')
  const joined = new Uint8Array(length * itemBytes)
  for (let k = 0, at = 0; k < itemBytes; k++) {
    for (let index = 0; index < length; index++) joined[index * itemBytes + k] = bytes[at++] as number
  }
  return joined
}

/** Values of a kind from the bytes of each: as they are, as text, or as the numbers of two bytes that they are. */
export function ofByteArrays(values: Uint8Array[], kind: ParquetKind, where: string): ParquetValues {
  if (kind === 'binary') return values
  if (kind === 'string') return decodeStrings(values, where)
  if (kind !== 'float16') throw badParquet(where, `a page has byte arrays of ${kind}`)
  const joined = new Uint8Array(2 * values.length)
  values.forEach((value, index) => {
    if (value.length !== 2) throw badParquet(where, `a value has ${value.length} bytes, expected 2`)
    joined.set(value, 2 * index)
  })
  return readPlain(joined, kind, values.length, where)
}

/** Neighbours that are one array become one string. */
function decodeStrings(values: readonly Uint8Array[], where: string): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let last: Uint8Array | null = null
  let text = ''
  try {
    return values.map((value) => {
      if (value !== last) text = decoder.decode(value)
      last = value
      return text
    })
  } catch (cause) {
    throw new InputError('bad-string', `${where}: holds a string that is not valid UTF-8; save the column as text`, {}, cause)
  }
}

/** Each with its length before it; views. */
export function readByteArrays(bytes: Uint8Array, length: number, where: string): Uint8Array[] {
  if (length * 4 > bytes.length) throw badParquet(where, 'a page ends before its values')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values: Uint8Array[] = []
  for (let index = 0, at = 0; index < length; index++) {
    if (at + 4 > bytes.length) throw badParquet(where, 'a page ends before its values')
    const end = at + 4 + view.getUint32(at, true)
    if (end > bytes.length) throw badParquet(where, 'a value reaches beyond its page')
    values.push(bytes.subarray(at + 4, end))
    at = end
  }
  return values
}

/** Booleans in runs, whose length in bytes comes first in pages of either version. */
export function readFlags(body: Uint8Array, length: number, where: string): Uint8Array {
  if (length === 0) return new Uint8Array(0)
  if (body.length < 4) throw badParquet(where, 'a page ends before its values')
  const end = 4 + new DataView(body.buffer, body.byteOffset, 4).getUint32(0, true)
  if (end > body.length) throw badParquet(where, 'the booleans of a page reach beyond it')
  return Uint8Array.from(readHybrid(body.subarray(4, end), 1, length, where))
}

/** Where in a dictionary of `below` values each of `present` values is. */
export function readIndices(body: Uint8Array, { present, below }: { present: number; below: number }, where: string): ArrayLike<number> {
  if (present === 0) return []
  const width = body[0]
  if (width === undefined) throw badParquet(where, 'a page ends before its values')
  const indices = readHybrid(body.subarray(1), width, present, where)
  if (indices.some((index) => index >= below)) throw badParquet(where, 'a page refers to what its dictionary does not hold')
  return indices
}

/**
 * Exactly `length` numbers of `width` bits from all of `bytes`, in runs of one value or packed (Parquet's RLE hybrid). Numbers that
 * packed groups of eight hold beyond `length` are padding; a run beyond it is an error, as are bytes that break off.
 */
export function readHybrid(bytes: Uint8Array, width: number, length: number, where: string): Uint8Array | Uint32Array {
  if (width > 24) throw badParquet(where, `a page has numbers of ${width} bits`)
  const out = width <= 8 ? new Uint8Array(length) : new Uint32Array(length)
  const mask = 2 ** width - 1
  let at = 0
  for (let filled = 0; filled < length; ) {
    let header = 0
    for (let shift = 0, next = 0x80; next >= 0x80; shift += 7) {
      if (at >= bytes.length || shift > 28) throw badParquet(where, 'a page ends inside its levels or indices')
      next = bytes[at++] as number
      header += (next & 0x7f) * 2 ** shift
    }
    const size = Math.floor(header / 2)
    if (header % 2 === 0) {
      if (size > length - filled || size === 0) throw badParquet(where, 'a page has a run beyond its values')
      let value = 0
      for (let shift = 0; shift < width; shift += 8) {
        if (at >= bytes.length) throw badParquet(where, 'a page ends inside its levels or indices')
        value += (bytes[at++] as number) * 2 ** shift
      }
      if (value > mask) throw badParquet(where, `a page has a number of more than ${width} bits`)
      out.fill(value, filled, filled + size)
      filled += size
    } else {
      // some writers leave out the padding of the last group
      const end = Math.min(filled + size * 8, length)
      if (size === 0 || at + Math.ceil(((end - filled) * width) / 8) > bytes.length) {
        throw badParquet(where, 'a page ends inside its levels or indices')
      }
      const groupEnd = at + size * width
      for (let held = 0, bits = 0; filled < end; filled++) {
        while (bits < width) {
          held |= (bytes[at++] as number) << bits
          bits += 8
        }
        out[filled] = held & mask
        held >>>= width
        bits -= width
      }
      at = groupEnd
    }
  }
  return out
}
