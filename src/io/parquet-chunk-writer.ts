import { InputError } from '../core/errors.js'
import { concatBytes } from './concat-bytes.js'
import { crc32 } from './crc32.js'
import { writeHybrid } from './parquet-hybrid-writer.js'
import type { LeafRows } from './parquet-rows.js'
import { isFixed, type StoredValues } from './parquet-stored.js'
import { type ParquetLeaf, parquetTypes } from './parquet-table.js'
import type { EncodedThrift } from './thrift.js'
import { thriftI32, thriftStruct } from './thrift-writer.js'

/** Pages that a reader holds easily; a row of more is a page of its own. */
const pageBytes = 2 ** 20
const maxPageBytes = 2 ** 31 - 1
/** As many as `writeHybrid` and readers here can number. */
const maxDictionary = 2 ** 24
/** What an index takes at most. */
const indexBytes = 3
const [plain, rle, dictionaryEncoding] = [0, 3, 8]

/** The pages of a new chunk, uncompressed. */
export interface LeafPages {
  /** A header, then a body, of each page. */
  readonly parts: readonly Uint8Array[]
  readonly encodings: readonly number[]
  readonly entries: number
  /** Where the first data page is. */
  readonly dataStart: number
}

/**
 * Rows as data pages of version 1 with a CRC-32 each, values PLAIN; values of varying length in a dictionary where that takes half or less,
 * in which each is once, and none that no row has. Throws `InputError` `too-large` where a page would reach 2 GiB.
 */
export function writeLeafPages(rows: LeafRows, leaf: ParquetLeaf, where: string): LeafPages {
  const { repetition, definition, values, entryStarts, valueStarts } = rows
  const dictionary = isFixed(values) ? null : findDictionary(values)
  const parts: Uint8Array[] = []
  if (dictionary) {
    const header = thriftStruct({ 1: thriftI32(dictionary.values.length), 2: thriftI32(plain) })
    parts.push(...page({ type: 2, field: 7, header }, plainBytes(dictionary.values, leaf), where))
  }
  const dataStart = byteLengthOf(parts)
  const indexBits = dictionary ? bitsFor(Math.max(1, dictionary.values.length - 1)) : 0
  const encoding = dictionary ? dictionaryEncoding : plain
  const sizeOfValues = (start: number, end: number) => (dictionary ? indexBytes * (end - start) : sizeOf(values, start, end))
  for (const [start, end] of cutRows(rows, sizeOfValues)) {
    const [entry, entryEnd] = [entryStarts[start] as number, entryStarts[end] as number]
    const [value, valueEnd] = [valueStarts[start] as number, valueStarts[end] as number]
    const body = concatBytes([
      ...levels(repetition.subarray(entry, entryEnd), leaf.maxRepetition),
      ...levels(definition.subarray(entry, entryEnd), leaf.maxDefinition),
      ...(dictionary
        ? [Uint8Array.of(indexBits), writeHybrid(dictionary.indices.subarray(value, valueEnd), indexBits)]
        : [plainBytes(slice(values, value, valueEnd), leaf)]),
    ])
    const header = thriftStruct({ 1: thriftI32(entryEnd - entry), 2: thriftI32(encoding), 3: thriftI32(rle), 4: thriftI32(rle) })
    parts.push(...page({ type: 0, field: 5, header }, body, where))
  }
  const encodings = dictionary ? [plain, rle, dictionaryEncoding] : [plain, rle]
  return { parts, encodings, entries: entryStarts.at(-1) as number, dataStart }
}

interface PageHeader {
  readonly type: number
  /** Where the header of this type of page belongs. */
  readonly field: number
  readonly header: EncodedThrift
}

function page({ type, field, header }: PageHeader, body: Uint8Array, where: string): [Uint8Array, Uint8Array] {
  if (body.length > maxPageBytes) {
    const message = `${where}: a page would have ${body.length} bytes, expected at most ${maxPageBytes}; write smaller row groups`
    throw new InputError('too-large', message, { byteLength: body.length })
  }
  const size = thriftI32(body.length)
  return [thriftStruct({ 1: thriftI32(type), 2: size, 3: size, 4: thriftI32(crc32(body) | 0), [field]: header }).bytes, body]
}

function levels(own: Uint8Array, max: number): Uint8Array[] {
  if (max === 0) return []
  const bytes = writeHybrid(own, bitsFor(max))
  return [lengthBytes(bytes.length), bytes]
}

/** Rows of about a page, by their entries and what `sizeOfValues` says. */
function* cutRows(
  { entryStarts, valueStarts }: LeafRows,
  sizeOfValues: (start: number, end: number) => number,
): Generator<readonly [start: number, end: number]> {
  const rows = entryStarts.length - 1
  let start = 0
  let size = 0
  for (let row = 0; row < rows; row++) {
    size += (entryStarts[row + 1] as number) - (entryStarts[row] as number)
    size += sizeOfValues(valueStarts[row] as number, valueStarts[row + 1] as number)
    if (size < pageBytes && row + 1 < rows) continue
    yield [start, row + 1]
    start = row + 1
    size = 0
  }
}

/** Each value once, and where each is; null where that would not take half of what they take one by one, or less. */
function findDictionary(values: readonly Uint8Array[]): { readonly values: Uint8Array[]; readonly indices: Uint32Array } | null {
  if (values.length === 0) return null
  // what the file has once is one array: only where those are few is it worth while to compare what is in them
  const distinct = new Set(values)
  const once = [...distinct]
  if (2 * sizeOf(once, 0, once.length) > sizeOf(values, 0, values.length) || distinct.size > maxDictionary) return null
  // windows-1252 has a character of its own for every byte
  const decoder = new TextDecoder('windows-1252')
  const byContent = new Map<string, number>()
  const byArray = new Map<Uint8Array, number>()
  const kept: Uint8Array[] = []
  for (const value of once) {
    const content = decoder.decode(value)
    const index = byContent.get(content) ?? kept.push(value) - 1
    byContent.set(content, index)
    byArray.set(value, index)
  }
  return { values: kept, indices: Uint32Array.from(values, (value) => byArray.get(value) as number) }
}

/** What values take in PLAIN encoding; a little more for booleans. */
function sizeOf(values: StoredValues, start: number, end: number): number {
  if (isFixed(values)) return (end - start) * values.itemBytes
  let size = 0
  for (let at = start; at < end; at++) size += 4 + (values[at] as Uint8Array).length
  return size
}

function slice(values: StoredValues, start: number, end: number): StoredValues {
  if (!isFixed(values)) return values.slice(start, end)
  const { itemBytes, bytes } = values
  return { itemBytes, bytes: bytes.subarray(start * itemBytes, end * itemBytes) }
}

function plainBytes(values: StoredValues, { type }: ParquetLeaf): Uint8Array {
  if (!isFixed(values)) return concatBytes(values.flatMap((value) => [lengthBytes(value.length), value]))
  if (type !== parquetTypes.boolean) return values.bytes
  const packed = new Uint8Array(Math.ceil(values.bytes.length / 8))
  for (const [index, flag] of values.bytes.entries()) packed[index >> 3] = (packed[index >> 3] as number) | (flag << (index & 7))
  return packed
}

function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, length, true)
  return bytes
}

const bitsFor = (max: number) => 32 - Math.clz32(max)
const byteLengthOf = (parts: readonly Uint8Array[]) => parts.reduce((sum, { length }) => sum + length, 0)
