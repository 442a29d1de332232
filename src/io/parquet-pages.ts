import { compressors } from 'hyparquet-compressors'
import { InputError } from '../core/errors.js'
import { crc32 } from './crc32.js'
import { readDeltaByteArrays, readDeltaIntegers, readDeltaLengthByteArrays } from './parquet-delta.js'
import { badParquet, count, freeBytes, maxParquetRatio, type ParquetChunk, type ParquetColumn } from './parquet-footer.js'
import { unlz4, unlz4Raw } from './parquet-lz4.js'
import { makeArray, ofByteArrays, type ParquetValues, readByteStreamSplit, readHybrid, readPlain } from './parquet-values.js'
import { unzstd } from './parquet-zstd.js'
import { readThrift, type ThriftStruct, thriftField } from './thrift.js'

/** The values of one page, without those that are missing, and their levels (empty where the column has none). */
export interface ParquetPage {
  readonly entries: number
  readonly repetition: ArrayLike<number>
  readonly definition: ArrayLike<number>
  readonly values: ParquetValues
}

const codecs = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'LZO', 'BROTLI', 'LZ4', 'ZSTD', 'LZ4_RAW'] as const
const rle = 3
/** Statistics may hold long strings. */
const maxPageHeaderBytes = 2 ** 20

interface PageParts {
  readonly entries: number
  readonly encoding: number
  readonly levels: Pick<ParquetPage, 'repetition' | 'definition'>
  readonly body: Uint8Array
}

/**
 * The data pages of a column chunk, versions 1 and 2, one after another: PLAIN, dictionary, run-length (booleans), split-stream and the
 * three delta encodings, every codec of Parquet but LZO; checksums where there are any. `bytes` are the chunk's.
 *
 * Throws `InputError` `bad-parquet`, `bad-thrift`, `bad-checksum`, `unsupported-encoding`, `unsupported-compression`, `too-large` where
 * pages unpack to more than 1,100 times what they take, prefixes that delta encodings repeat included, and what reading values throws.
 */
export function* readPages(
  bytes: Uint8Array,
  chunk: ParquetChunk,
  column: ParquetColumn,
  where: string,
): Generator<ParquetPage, void, undefined> {
  const { kind, maxDefinition } = column
  if (kind === null) throw new Error('unreachable: the column was checked')
  const spend = expansionLimit(bytes.length, where)
  const unpack = unpacker(chunk.codec, spend, where)
  let dictionary: ParquetValues | null = null
  let left = chunk.values
  for (let at = 0; left > 0; ) {
    if (at >= bytes.length) throw badParquet(where, 'a column ends before its values')
    const { struct, end } = readThrift(bytes.subarray(at, at + maxPageHeaderBytes), where)
    const packed = bytes.subarray(at + end, at + end + count(struct, 3, where))
    at += end + count(struct, 3, where)
    if (at > bytes.length) throw badParquet(where, 'a page reaches beyond its column')
    checkCrc(struct, packed, where)
    const size = count(struct, 2, where)
    const type = thriftField(struct, 1)
    if (type === 2) {
      const header = sub(struct, 7, where)
      if (dictionary) throw badParquet(where, 'a column has two dictionaries')
      dictionary = readPlain(unpack(packed, size), kind, boundedCount(header, 1, size, where), where)
      continue
    }
    if (type !== 0 && type !== 3) continue
    const header = sub(struct, type === 0 ? 5 : 8, where)
    const entries = count(header, 1, where)
    if (entries > left) throw badParquet(where, 'a column has more values than it declares')
    left -= entries
    const parts =
      type === 0
        ? partsV1(header, entries, unpack(packed, size), column, where)
        : partsV2(header, { entries, packed, size, unpack }, column, where)
    const { levels, body, encoding } = parts
    let present = entries
    if (maxDefinition > 0) {
      present = 0
      for (let entry = 0; entry < entries; entry++) if (levels.definition[entry] === maxDefinition) present++
    }
    yield { entries, ...levels, values: readValues(body, { encoding, present, dictionary, kind, spend }, where) }
  }
}

function partsV1(header: ThriftStruct, entries: number, page: Uint8Array, column: ParquetColumn, where: string): PageParts {
  let at = 0
  const level = (max: number, encoding: number) => {
    if (max === 0) return []
    if (encoding !== rle) throw unsupportedEncoding(encoding, where)
    if (at + 4 > page.length) throw badParquet(where, 'a page ends before its levels')
    const end = at + 4 + new DataView(page.buffer, page.byteOffset + at, 4).getUint32(0, true)
    if (end > page.length) throw badParquet(where, 'the levels of a page reach beyond it')
    const levels = readLevels(page.subarray(at + 4, end), max, entries, where)
    at = end
    return levels
  }
  const repetition = level(column.maxRepetition, count(header, 4, where))
  const definition = level(column.maxDefinition, count(header, 3, where))
  return { entries, encoding: count(header, 2, where), levels: { repetition, definition }, body: page.subarray(at) }
}

function partsV2(
  header: ThriftStruct,
  page: { readonly entries: number; readonly packed: Uint8Array; readonly size: number; readonly unpack: Unpack },
  column: ParquetColumn,
  where: string,
): PageParts {
  const { entries, packed, size, unpack } = page
  const repetitionEnd = count(header, 6, where)
  const levelsEnd = repetitionEnd + count(header, 5, where)
  if (levelsEnd > packed.length || levelsEnd > size) throw badParquet(where, 'the levels of a page reach beyond it')
  const { maxRepetition, maxDefinition } = column
  const repetition = maxRepetition === 0 ? [] : readLevels(packed.subarray(0, repetitionEnd), maxRepetition, entries, where)
  const definition = maxDefinition === 0 ? [] : readLevels(packed.subarray(repetitionEnd, levelsEnd), maxDefinition, entries, where)
  const rest = packed.subarray(levelsEnd)
  const body = thriftField(header, 7) === false ? rest : unpack(rest, size - levelsEnd)
  return { entries, encoding: count(header, 4, where), levels: { repetition, definition }, body }
}

function readLevels(bytes: Uint8Array, max: number, length: number, where: string): ArrayLike<number> {
  const levels = readHybrid(bytes, 32 - Math.clz32(max), length, where)
  if (levels.some((level) => level > max)) throw badParquet(where, `a page has a level above ${max}`)
  return levels
}

type Unpack = (packed: Uint8Array, size: number) => Uint8Array

type Spend = (byteLength: number) => void

/** Keeps count of what the pages of a chunk come to, by unpacking or by repeating prefixes. */
function expansionLimit(chunkBytes: number, where: string): Spend {
  let total = 0
  return (byteLength) => {
    total += byteLength
    if (total <= maxParquetRatio * chunkBytes + freeBytes) return
    throw new InputError(
      'too-large',
      `${where}: declares ${total} bytes unpacked from ${chunkBytes}, expected at most ${maxParquetRatio} : 1; pass .npy files`,
      { total, chunkBytes },
    )
  }
}

/** The library's, but for those that a page can send round in circles, make take gigabytes, or end early. */
const decompressors: typeof compressors = { ...compressors, ZSTD: unzstd, LZ4: unlz4, LZ4_RAW: unlz4Raw }

function unpacker(codec: number, spend: Spend, where: string): Unpack {
  const name = codecs[codec]
  const decompress = name === undefined || name === 'UNCOMPRESSED' ? undefined : decompressors[name]
  if (name !== 'UNCOMPRESSED' && !decompress) {
    throw new InputError(
      'unsupported-compression',
      `${where}: is compressed by ${name ?? `codec ${codec}`}, expected snappy, gzip, zstd, brotli or lz4`,
    )
  }
  return (packed, size) => {
    if (!decompress) {
      if (packed.length !== size) throw badParquet(where, 'a page has two sizes, but is not compressed')
      return packed
    }
    spend(size)
    let page: Uint8Array | undefined
    try {
      page = size === 0 ? new Uint8Array(0) : decompress(packed, size)
    } catch (cause) {
      throw badParquet(where, 'a page is damaged', cause)
    }
    if (page?.length !== size) throw badParquet(where, 'a page unpacks to another size than it declares')
    return page
  }
}

interface PageValues {
  readonly encoding: number
  readonly present: number
  readonly dictionary: ParquetValues | null
  readonly kind: NonNullable<ParquetColumn['kind']>
  readonly spend: Spend
}

function readValues(body: Uint8Array, { encoding, present, dictionary, kind, spend }: PageValues, where: string): ParquetValues {
  if (encoding === 0) return readPlain(body, kind, present, where)
  if (encoding === 5) return readDeltaIntegers(body, kind, present, where)
  if (encoding === 6) return ofByteArrays(readDeltaLengthByteArrays(body, present, where), kind, where)
  if (encoding === 7) return ofByteArrays(readDeltaByteArrays(body, present, spend, where), kind, where)
  if (encoding === 9) return readByteStreamSplit(body, kind, present, where)
  if (encoding === rle && kind === 'bool') return present === 0 ? new Uint8Array(0) : readFlags(body, present, where)
  if (encoding !== 2 && encoding !== 8) throw unsupportedEncoding(encoding, where)
  if (!dictionary) throw badParquet(where, 'a page refers to a dictionary that is missing')
  if (present === 0) return makeArray(kind, 0, where)
  const width = body[0]
  if (width === undefined) throw badParquet(where, 'a page ends before its values')
  const indices = readHybrid(body.subarray(1), width, present, where)
  const values = makeArray(kind, present, where) as unknown as Record<number, unknown>
  for (let index = 0; index < present; index++) {
    const at = indices[index] as number
    if (at >= dictionary.length) throw badParquet(where, 'a page refers to what its dictionary does not hold')
    values[index] = dictionary[at]
  }
  return values as unknown as ParquetValues
}

/** Booleans in runs, whose length in bytes comes first in pages of either version. */
function readFlags(body: Uint8Array, length: number, where: string): Uint8Array {
  if (body.length < 4) throw badParquet(where, 'a page ends before its values')
  const end = 4 + new DataView(body.buffer, body.byteOffset, 4).getUint32(0, true)
  if (end > body.length) throw badParquet(where, 'the booleans of a page reach beyond it')
  return Uint8Array.from(readHybrid(body.subarray(4, end), 1, length, where))
}

function unsupportedEncoding(encoding: number, where: string): InputError {
  return new InputError(
    'unsupported-encoding',
    `${where}: has encoding ${encoding}, expected PLAIN, a dictionary, BYTE_STREAM_SPLIT, a DELTA one or RLE (booleans); write it with format version 1.0`,
    { encoding },
  )
}

/** A field that is a whole number, and at most eight for each byte there is. */
function boundedCount(header: ThriftStruct, id: number, byteLength: number, where: string): number {
  const value = count(header, id, where)
  if (value > 8 * byteLength) throw badParquet(where, `a page of ${byteLength} bytes declares ${value} values`)
  return value
}

function checkCrc(header: ThriftStruct, packed: Uint8Array, where: string): void {
  const crc = thriftField(header, 4)
  if (typeof crc !== 'number' || crc >>> 0 === crc32(packed)) return
  throw new InputError('bad-checksum', `${where}: a page has another CRC-32 than it declares: it is damaged; copy it again`)
}

function sub(struct: ThriftStruct, id: number, where: string): ThriftStruct {
  const value = thriftField(struct, id)
  if (Array.isArray(value)) return value as unknown as ThriftStruct
  throw badParquet(where, 'a page lacks its header')
}
