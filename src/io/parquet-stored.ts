import { concatBytes } from './concat-bytes.js'
import { hostIsLittleEndian, swapWords } from './file-array.js'
import { readDeltaByteArrays, readDeltaIntegers, readDeltaLengthByteArrays } from './parquet-delta.js'
import { type EncodedPage, type Spend, unsupportedEncoding } from './parquet-encoded-pages.js'
import { badParquet } from './parquet-metadata.js'
import { type ParquetLeaf, parquetTypes } from './parquet-table.js'
import { joinStreams, readByteArrays, readFlags, readIndices, readPlain } from './parquet-values.js'

/**
 * Values as the bytes that they are, whatever they mean: `itemBytes` for each, little-endian (booleans as a byte of 0 or 1); or an array for
 * each where lengths vary, the same one where the file has it once for several.
 */
export type StoredValues = FixedValues | readonly Uint8Array[]

export interface FixedValues {
  readonly itemBytes: number
  readonly bytes: Uint8Array
}

/** Runs `start` … `end − 1` of what is numbered from 0. */
export type Runs = readonly (readonly [start: number, end: number])[]

export function isFixed(values: StoredValues): values is FixedValues {
  return 'bytes' in values
}

/** Values of one kind, one after another. */
export function joinStored(parts: readonly StoredValues[], leaf: ParquetLeaf): StoredValues {
  if (leaf.itemBytes === 0) return (parts as readonly (readonly Uint8Array[])[]).flat()
  return { itemBytes: leaf.itemBytes, bytes: concatBytes((parts as readonly FixedValues[]).map(({ bytes }) => bytes)) }
}

/** The values of these runs, one run after another. */
export function pickStored(values: StoredValues, runs: Runs): StoredValues {
  if (!isFixed(values)) return runs.flatMap(([start, end]) => values.slice(start, end))
  return { itemBytes: values.itemBytes, bytes: pickBytes(values, runs) }
}

export function pickBytes({ itemBytes, bytes }: FixedValues, runs: Runs): Uint8Array {
  return concatBytes(runs.map(([start, end]) => bytes.subarray(start * itemBytes, end * itemBytes)))
}

/**
 * The values of a page, of a dictionary too; `dictionary` is the column's, for pages that refer to it. Throws `InputError` `bad-parquet`,
 * `unsupported-encoding`, and what `spend` throws, which is told the size of what a page repeats before it does.
 */
export function readStored(
  { body, encoding, present }: EncodedPage,
  { leaf, dictionary, spend }: { readonly leaf: ParquetLeaf; readonly dictionary: StoredValues | null; readonly spend: Spend },
  where: string,
): StoredValues {
  const { type, itemBytes } = leaf
  const isBoolean = type === parquetTypes.boolean
  if (encoding === 0) {
    if (itemBytes === 0) return readByteArrays(body, present, where)
    if (isBoolean) return { itemBytes, bytes: readPlain(body, 'bool', present, where) as Uint8Array }
    if (present * itemBytes > body.length) throw badParquet(where, 'a page ends before its values')
    return { itemBytes, bytes: body.subarray(0, present * itemBytes) }
  }
  if (encoding === 2 || encoding === 8) {
    if (!dictionary) throw badParquet(where, 'a page refers to a dictionary that is missing')
    spend(present * itemBytes)
    return resolve(dictionary, { body, present }, where)
  }
  if (encoding === 3 && isBoolean) return { itemBytes, bytes: readFlags(body, present, where) }
  if (encoding === 5 && (type === parquetTypes.int32 || type === parquetTypes.int64)) {
    const values = readDeltaIntegers(body, type === parquetTypes.int32 ? 'int32' : 'int64', present, where) as Int32Array<ArrayBuffer>
    const bytes = new Uint8Array(values.buffer)
    if (!hostIsLittleEndian) swapWords(bytes, itemBytes)
    return { itemBytes, bytes }
  }
  if (encoding === 6 && itemBytes === 0) return readDeltaLengthByteArrays(body, present, where)
  if (encoding === 7 && (itemBytes === 0 || type === parquetTypes.fixedByteArray)) {
    const values = readDeltaByteArrays(body, present, spend, where)
    if (itemBytes === 0) return values
    if (values.some(({ length }) => length !== itemBytes)) throw badParquet(where, `a page has values that are not of ${itemBytes} bytes`)
    spend(present * itemBytes)
    return { itemBytes, bytes: concatBytes(values) }
  }
  if (encoding === 9 && itemBytes > 1) return { itemBytes, bytes: joinStreams(body, itemBytes, present, where) }
  throw unsupportedEncoding(encoding, where)
}

function resolve(dictionary: StoredValues, { body, present }: { body: Uint8Array; present: number }, where: string): StoredValues {
  if (!isFixed(dictionary)) {
    const indices = readIndices(body, { present, below: dictionary.length }, where)
    return Array.from(indices, (index) => dictionary[index] as Uint8Array)
  }
  const { itemBytes, bytes: from } = dictionary
  const indices = readIndices(body, { present, below: from.length / itemBytes }, where)
  const bytes = new Uint8Array(present * itemBytes)
  for (let value = 0, at = 0; value < present; value++) {
    const start = (indices[value] as number) * itemBytes
    for (let byte = 0; byte < itemBytes; byte++) bytes[at++] = from[start + byte] as number
  }
  return { itemBytes, bytes }
}
