import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from './byte-source.js'
import { type ParquetChunk, readChunk, readFooter } from './parquet-footer.js'
import { badParquet, count, list } from './parquet-metadata.js'
import { readParquetSchema, type SchemaLeaf } from './parquet-schema.js'
import { type EncodedThrift, type ThriftStruct, thriftField } from './thrift.js'

/** What holds values, as it is stored, whatever they mean. */
export interface ParquetLeaf extends Omit<SchemaLeaf, 'element'> {
  /** The column at the top of the schema that it is, or is a field of. */
  readonly column: string
  /** Parquet's number of the physical type. */
  readonly type: number
  /** Bytes of a value: 0 where each has a length of its own, 1 for booleans, which take a bit in the file. */
  readonly itemBytes: number
}

/** The bytes of one leaf in one row group. */
export interface LeafChunk extends ParquetChunk {
  readonly encodings: readonly number[]
}

export interface RowGroup {
  readonly rows: number
  /** One a leaf. */
  readonly chunks: readonly LeafChunk[]
}

/** A Parquet file down to its last column, read or not. */
export interface ParquetTable {
  readonly rows: number
  /** Names at the top of the schema. */
  readonly columns: readonly string[]
  readonly leaves: readonly ParquetLeaf[]
  readonly groups: readonly RowGroup[]
  /** The fields of the footer as they are encoded. */
  readonly footer: ReadonlyMap<number, EncodedThrift>
}

export const parquetTypes = { boolean: 0, int32: 1, int64: 2, byteArray: 6, fixedByteArray: 7 } as const

/** By the number of the type. */
const itemBytes: readonly (number | undefined)[] = [1, 4, 8, 12, 4, 8, 0]

/**
 * Reads the footer of a Parquet file for copying it. Row counts, offsets and sizes are held against each other and against the file. Throws
 * `InputError` `unsupported-column` for a type that there is not, and what `readFooter` and `readParquetSchema` throw.
 */
export async function readParquetTable(source: ByteSource, where: string): Promise<ParquetTable> {
  const { struct, encoded, dataEnd } = await readFooter(source, where)
  const columns = readParquetSchema(list(struct, 2, where), where)
  const leaves = columns.flatMap(({ name, leaves: own }) => own.map((leaf) => readLeaf(leaf, name, where)))
  const rows = count(struct, 3, where)
  let seen = 0
  let stored = 0
  const groups = list(struct, 4, where).map((group): RowGroup => {
    const own = count(group, 3, where)
    const chunks = list(group, 1, where)
    if (chunks.length !== leaves.length)
      throw badParquet(where, `a row group has ${chunks.length} columns, but its schema ${leaves.length}`)
    seen += own
    return {
      rows: own,
      chunks: chunks.map((chunk) => {
        const read = readChunk(chunk, { rows: own, dataEnd, where })
        stored += read.end - read.start
        return { ...read, encodings: encodingsOf(chunk) }
      }),
    }
  })
  if (seen !== rows) throw badParquet(where, `it declares ${rows} rows, but its row groups have ${seen}`)
  // chunks that share bytes could be written for ever
  if (stored > source.byteLength) throw badParquet(where, 'its columns overlap')
  return { rows, columns: columns.map(({ name }) => name), leaves, groups, footer: encoded }
}

function readLeaf({ element, ...leaf }: SchemaLeaf, column: string, where: string): ParquetLeaf {
  const type = thriftField(element, 1)
  const known = typeof type === 'number' ? itemBytes[type] : undefined
  const size = type === parquetTypes.fixedByteArray ? count(element, 2, where) : known
  if (typeof type === 'number' && size !== undefined && (size > 0 || type === parquetTypes.byteArray)) {
    return { ...leaf, column, type, itemBytes: size }
  }
  throw new InputError(
    'unsupported-column',
    `${where}: column '${showText(column)}' holds values of no type that is known, expected a type of Parquet 2; leave it out`,
    { column },
  )
}

function encodingsOf(chunk: ThriftStruct): readonly number[] {
  const encodings = thriftField(thriftField(chunk, 3) as ThriftStruct, 2)
  return Array.isArray(encodings) ? encodings.filter((encoding) => typeof encoding === 'number') : []
}
