import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from './byte-source.js'
import { badParquet, count, list } from './parquet-metadata.js'
import { readParquetSchema, type SchemaColumn, type SchemaLeaf } from './parquet-schema.js'
import { type EncodedThrift, readThrift, type ThriftStruct, thriftField } from './thrift.js'

/** How a column's values are to be read: the names of `FileArray` dtypes, or as the bytes that they are. */
export type ParquetKind = 'bool' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'float16' | 'float32' | 'float64' | 'string' | 'binary'

/** The bytes of one column in one row group. */
export interface ParquetChunk {
  readonly rows: number
  /** Values with those that are missing, as the footer has it. */
  readonly values: number
  /** Bytes that its pages unpack to, as the footer has it; infinite where it does not say. */
  readonly unpackedBytes: number
  readonly codec: number
  readonly start: number
  /** Where its first data page is: at its start, or behind a dictionary. */
  readonly dataStart: number
  readonly end: number
}

/** A column at the top of the schema. */
export interface ParquetColumn {
  readonly name: string
  readonly rows: number
  /** Null where it cannot be read; `reason` says why. */
  readonly kind: ParquetKind | null
  readonly reason: string
  /** Bytes of a value in the file: 0 for strings, whose length varies. */
  readonly itemBytes: number
  readonly maxDefinition: number
  /** How many lists are within each other; 0 for one value a row. */
  readonly maxRepetition: number
  readonly chunks: readonly ParquetChunk[]
  /** Whether the values are marked as text. */
  readonly isText: boolean
  /**
   * At most one value a row, as the bytes they are: of a column of them, or of the field `bytes` of a struct; else null. The number of
   * values of a struct's field is only checked when it is read.
   */
  readonly bytes: ParquetColumn | null
}

const magic = 0x31524150 // PAR1
const maxFooterBytes = 16 * 2 ** 20
/** Unpacked to packed size: what deflate can do. Run lengths and other codecs could claim any number of values. */
export const maxParquetRatio = 1100
/** What a small file may unpack to all the same: a constant column is a few bytes. */
export const freeBytes = 16 * 2 ** 20

/** The metadata at the end of a Parquet file. */
export interface ParquetFooter {
  readonly struct: ThriftStruct
  /** Its fields as they are encoded. */
  readonly encoded: ReadonlyMap<number, EncodedThrift>
  /** Where the data in front of it end. */
  readonly dataEnd: number
}

/** Reads the footer, and nothing out of it. Throws `InputError` `bad-parquet`, `bad-thrift`, `too-large` or `encrypted`. */
export async function readFooter(source: ByteSource, where: string): Promise<ParquetFooter> {
  const { byteLength } = source
  if (byteLength < 12) throw badParquet(where, `it has ${byteLength} bytes`)
  const tail = new DataView((await readBytes(source, byteLength - 8, byteLength, where)).buffer)
  if (tail.getUint32(4, true) !== magic) throw badParquet(where, 'its footer is missing; it may be cut off')
  const length = tail.getUint32(0, true)
  if (length > byteLength - 12) throw badParquet(where, `it declares a footer of ${length} bytes, but has ${byteLength - 12}`)
  if (length > maxFooterBytes) {
    throw new InputError(
      'too-large',
      `${where}: declares a footer of ${length} bytes, expected at most ${maxFooterBytes}; write fewer columns`,
    )
  }
  const dataEnd = byteLength - 8 - length
  const { struct, encoded } = readThrift(await readBytes(source, dataEnd, byteLength - 8, where), where)
  if (thriftField(struct, 8) !== undefined) throw new InputError('encrypted', `${where}: is encrypted; write it without a key`)
  return { struct, encoded, dataEnd }
}

/**
 * Reads the columns at the top of a Parquet file's schema in order, each with its chunks. Row counts, offsets and sizes are held against
 * each other and against the file. Throws what `readFooter` and `readParquetSchema` throw.
 */
export async function readParquetFooter(source: ByteSource, where: string): Promise<ParquetColumn[]> {
  const { struct, dataEnd } = await readFooter(source, where)
  const leaves = readParquetSchema(list(struct, 2, where), where).map(asLeaf)
  const rows = count(struct, 3, where)
  const columns = leaves.map((leaf) => columnOf(leaf, rows))
  const indexed = columns.flatMap((column) => (column.bytes && column.bytes.index !== column.index ? [column, column.bytes] : [column]))
  let seen = 0
  for (const group of list(struct, 4, where)) {
    const groupRows = count(group, 3, where)
    const chunks = list(group, 1, where)
    seen += groupRows
    for (const column of indexed) {
      if (column.index < 0) continue
      const chunk = chunks[column.index]
      if (chunk === undefined) throw badParquet(where, `a row group lacks the column '${showText(column.name)}'`)
      column.chunks.push(readChunk(chunk, { rows: groupRows, dataEnd, where }))
    }
  }
  if (seen !== rows) throw badParquet(where, `it declares ${rows} rows, but its row groups have ${seen}`)
  for (const { name, chunks } of indexed) {
    const stored = chunks.reduce((sum, { start, end }) => sum + end - start, 0)
    // chunks that share bytes could be read for ever
    if (stored > source.byteLength) throw badParquet(where, `the chunks of its column '${showText(name)}' overlap`)
  }
  for (const column of columns) checkValueCount(column, column.chunks, where)
  return columns
}

/** Throws `InputError` `too-large` where chunks of a column declare more values than their bytes can hold. */
export function checkValueCount(
  { name, itemBytes }: Pick<ParquetColumn, 'name' | 'itemBytes'>,
  chunks: readonly ParquetChunk[],
  where: string,
): void {
  const stored = chunks.reduce((sum, { start, end }) => sum + end - start, 0)
  const values = chunks.reduce((sum, chunk) => sum + chunk.values, 0)
  if (values * Math.max(itemBytes, 8) <= maxParquetRatio * stored + freeBytes) return
  throw new InputError(
    'too-large',
    `${where}: column '${showText(name)}' declares ${values} values in ${stored} bytes, expected at most ${maxParquetRatio} : 1; pass .npy files`,
    { values, stored },
  )
}

type Leaf = Omit<ParquetColumn, 'rows' | 'chunks' | 'bytes'> & { readonly index: number; readonly bytes: Leaf | null }

interface OpenColumn extends ParquetColumn {
  readonly index: number
  readonly chunks: ParquetChunk[]
  readonly bytes: OpenColumn | null
}

/** A column whose chunks are still to be found; two views of one leaf share them. */
function columnOf(leaf: Leaf, rows: number): OpenColumn {
  const chunks: ParquetChunk[] = []
  const bytes = leaf.bytes && columnOf(leaf.bytes, rows)
  return { ...leaf, rows, chunks, bytes: bytes && (bytes.index === leaf.index ? { ...bytes, chunks } : bytes) }
}

/** A column as its one leaf where it has only one, and the leaf that holds bytes as they are. */
function asLeaf({ name, leaves }: SchemaColumn): Leaf {
  const none = { ...unreadable('a struct of several fields'), index: -1, maxDefinition: 0, maxRepetition: 0 }
  const [only] = leaves
  const holder = leaves.find(isBytes)
  const bytes = holder ? { ...readLeaf(holder), name, kind: 'binary' as const, bytes: null } : null
  return { name, ...(only && leaves.length === 1 ? readLeaf(only) : none), bytes }
}

function readLeaf({ element, index, maxDefinition, maxRepetition }: SchemaLeaf): Omit<Leaf, 'name' | 'bytes'> {
  return { ...kindOf(element), index, maxDefinition, maxRepetition }
}

/** Unmarked bytes that are the column itself, or its field `bytes`. */
function isBytes({ element, path, maxRepetition }: SchemaLeaf): boolean {
  if (maxRepetition > 0 || !isUnmarkedBytes(element)) return false
  return path.length === 1 || (path.length === 2 && isNamed(element, 'bytes'))
}

function isNamed(element: ThriftStruct, expected: string): boolean {
  const name = thriftField(element, 4)
  return name instanceof Uint8Array && new TextDecoder().decode(name) === expected
}

/** Bytes of any length that nothing says the meaning of. */
function isUnmarkedBytes(element: ThriftStruct): boolean {
  return thriftField(element, 1) === 6 && thriftField(element, 6) === undefined && thriftField(element, 10) === undefined
}

const readable = (kind: ParquetKind, itemBytes: number, isText = false) => ({ kind, itemBytes, reason: '', isText })
const unreadable = (reason: string) => ({ kind: null, itemBytes: 0, reason, isText: false })

function kindOf(element: ThriftStruct): Pick<Leaf, 'kind' | 'itemBytes' | 'reason' | 'isText'> {
  const type = thriftField(element, 1)
  const converted = thriftField(element, 6)
  const given = thriftField(element, 10)
  const logical = Array.isArray(given) ? (given as unknown as ThriftStruct) : []
  const isUnsigned = typeof converted === 'number' && converted >= 11 && converted <= 14
  const isSigned = typeof converted === 'number' && converted >= 15 && converted <= 18
  const isInteger = isUnsigned || isSigned || logical[0] === 10 || (converted === undefined && logical.length === 0)
  switch (type) {
    case 0:
      return readable('bool', 1)
    case 1:
    case 2: {
      if (!isInteger) return unreadable('dates, times or decimals')
      const integer = Array.isArray(logical[1]) ? (logical[1] as unknown as ThriftStruct) : []
      const unsigned = isUnsigned || (logical[0] === 10 && thriftField(integer, 2) === false)
      if (type === 2) return readable(unsigned ? 'uint64' : 'int64', 8)
      return readable(unsigned ? 'uint32' : 'int32', 4)
    }
    case 4:
      return readable('float32', 4)
    case 5:
      return readable('float64', 8)
    case 6:
      return converted === 5 || logical[0] === 5 ? unreadable('decimals') : readable('string', 0, converted === 0 || logical[0] === 1)
    case 7:
      return logical[0] === 15 && thriftField(element, 2) === 2 ? readable('float16', 2) : unreadable('bytes of fixed length')
    default:
      return unreadable('timestamps of 96 bits')
  }
}

/** Throws `InputError` `bad-parquet` or `encrypted`. */
export function readChunk(
  chunk: ThriftStruct,
  { rows, dataEnd, where }: { readonly rows: number; readonly dataEnd: number; readonly where: string },
): ParquetChunk {
  if (thriftField(chunk, 1) !== undefined) throw badParquet(where, 'a column lies in another file, which is never opened')
  if (thriftField(chunk, 8) !== undefined) throw new InputError('encrypted', `${where}: is encrypted; write it without a key`)
  const meta = thriftField(chunk, 3)
  if (!Array.isArray(meta)) throw badParquet(where, 'a column has no metadata')
  const struct = meta as unknown as ThriftStruct
  const dataStart = count(struct, 9, where)
  // some writers give 0 where there is no dictionary
  const dictionary = thriftField(struct, 11) === undefined ? 0 : count(struct, 11, where)
  const start = dictionary >= 4 && dictionary < dataStart ? dictionary : dataStart
  const end = start + count(struct, 7, where)
  if (start < 4 || end > dataEnd) throw badParquet(where, `a column has bytes ${start} … ${end}, outside of the data`)
  const values = count(struct, 5, where)
  if (values < rows) throw badParquet(where, `a column has ${values} values for ${rows} rows`)
  const unpacked = thriftField(struct, 6)
  const unpackedBytes = typeof unpacked === 'number' && unpacked >= 0 ? unpacked : Number.POSITIVE_INFINITY
  return { rows, values, unpackedBytes, codec: count(struct, 4, where), start, dataStart, end }
}
