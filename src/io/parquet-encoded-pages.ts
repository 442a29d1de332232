import { compressors } from 'hyparquet-compressors'
import { InputError } from '../core/errors.js'
import { crc32 } from './crc32.js'
import { freeBytes, maxParquetRatio, type ParquetChunk } from './parquet-footer.js'
import { unlz4, unlz4Raw } from './parquet-lz4.js'
import { badParquet, count } from './parquet-metadata.js'
import type { SchemaLeaf } from './parquet-schema.js'
import { readHybrid } from './parquet-values.js'
import { unzstd } from './parquet-zstd.js'
import { readThrift, type ThriftStruct, thriftField } from './thrift.js'

/** The levels of a page (empty where the column has none), and its values as they are encoded. */
export interface EncodedPage {
  readonly isDictionary: boolean
  readonly entries: number
  readonly repetition: ArrayLike<number>
  readonly definition: ArrayLike<number>
  /** Values without those that are missing. */
  readonly present: number
  readonly encoding: number
  readonly body: Uint8Array
}

export type Levels = Pick<SchemaLeaf, 'maxDefinition' | 'maxRepetition'>

const codecs = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'LZO', 'BROTLI', 'LZ4', 'ZSTD', 'LZ4_RAW'] as const
const rle = 3
/** Of those in the specification. */
const maxEncoding = 9
/** Statistics may hold long strings. */
const maxPageHeaderBytes = 2 ** 20

/**
 * The pages of a column chunk, versions 1 and 2, one after another and unpacked: a dictionary at most, and then data; every codec of Parquet
 * but LZO; checksums where there are any. `bytes` are the chunk's. `spend` is told what each unpacks to before it does.
 *
 * Throws `InputError` `bad-parquet`, `bad-thrift`, `bad-checksum`, `unsupported-encoding` (of levels), `unsupported-compression`, and what
 * `spend` throws.
 */
export function* readEncodedPages(
  bytes: Uint8Array,
  chunk: ParquetChunk,
  { levels, spend }: { readonly levels: Levels; readonly spend: Spend },
  where: string,
): Generator<EncodedPage, void, undefined> {
  const unpack = unpacker(chunk.codec, spend, where)
  let hasDictionary = false
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
      if (hasDictionary) throw badParquet(where, 'a column has two dictionaries')
      hasDictionary = true
      const body = unpack(packed, size)
      const entries = boundedCount(header, 1, size, where)
      yield { isDictionary: true, entries, repetition: [], definition: [], present: entries, encoding: 0, body }
      continue
    }
    if (type !== 0 && type !== 3) continue
    const header = sub(struct, type === 0 ? 5 : 8, where)
    const entries = count(header, 1, where)
    if (entries > left) throw badParquet(where, 'a column has more values than it declares')
    left -= entries
    const parts =
      type === 0
        ? partsV1(header, entries, unpack(packed, size), levels, where)
        : partsV2(header, { entries, packed, size, unpack }, levels, where)
    let present = entries
    if (levels.maxDefinition > 0) {
      present = 0
      for (let entry = 0; entry < entries; entry++) if (parts.definition[entry] === levels.maxDefinition) present++
    }
    yield { isDictionary: false, entries, present, ...parts }
  }
}

/** Throws `InputError` where the footer tells that pages of a chunk cannot be read: `unsupported-compression` or `unsupported-encoding`. */
export function checkDecodable({ codec, encodings }: { codec: number; encodings: readonly number[] }, where: string): void {
  unpacker(codec, () => {}, where)
  const unknown = encodings.find((encoding) => encoding > maxEncoding)
  if (unknown !== undefined) throw unsupportedEncoding(unknown, where)
}

type PageParts = Pick<EncodedPage, 'repetition' | 'definition' | 'encoding' | 'body'>

function partsV1(header: ThriftStruct, entries: number, page: Uint8Array, levels: Levels, where: string): PageParts {
  let at = 0
  const level = (max: number, encoding: number) => {
    if (max === 0) return []
    if (encoding !== rle) throw unsupportedEncoding(encoding, where)
    if (at + 4 > page.length) throw badParquet(where, 'a page ends before its levels')
    const end = at + 4 + new DataView(page.buffer, page.byteOffset + at, 4).getUint32(0, true)
    if (end > page.length) throw badParquet(where, 'the levels of a page reach beyond it')
    const own = readLevels(page.subarray(at + 4, end), max, entries, where)
    at = end
    return own
  }
  const repetition = level(levels.maxRepetition, count(header, 4, where))
  const definition = level(levels.maxDefinition, count(header, 3, where))
  return { repetition, definition, encoding: count(header, 2, where), body: page.subarray(at) }
}

function partsV2(
  header: ThriftStruct,
  page: { readonly entries: number; readonly packed: Uint8Array; readonly size: number; readonly unpack: Unpack },
  { maxRepetition, maxDefinition }: Levels,
  where: string,
): PageParts {
  const { entries, packed, size, unpack } = page
  const repetitionEnd = count(header, 6, where)
  const levelsEnd = repetitionEnd + count(header, 5, where)
  if (levelsEnd > packed.length || levelsEnd > size) throw badParquet(where, 'the levels of a page reach beyond it')
  const repetition = maxRepetition === 0 ? [] : readLevels(packed.subarray(0, repetitionEnd), maxRepetition, entries, where)
  const definition = maxDefinition === 0 ? [] : readLevels(packed.subarray(repetitionEnd, levelsEnd), maxDefinition, entries, where)
  const rest = packed.subarray(levelsEnd)
  const body = thriftField(header, 7) === false ? rest : unpack(rest, size - levelsEnd)
  return { repetition, definition, encoding: count(header, 4, where), body }
}

function readLevels(bytes: Uint8Array, max: number, length: number, where: string): ArrayLike<number> {
  const levels = readHybrid(bytes, 32 - Math.clz32(max), length, where)
  if (levels.some((level) => level > max)) throw badParquet(where, `a page has a level above ${max}`)
  return levels
}

type Unpack = (packed: Uint8Array, size: number) => Uint8Array

export type Spend = (byteLength: number) => void

/**
 * Keeps count of what the pages of a chunk come to, by unpacking or by repeating what is in them once. Throws `InputError` `too-large` where
 * that is more than 1,100 times what they take.
 */
export function expansionLimit(chunkBytes: number, where: string): Spend {
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

export function unsupportedEncoding(encoding: number, where: string): InputError {
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
