import type { ByteSource } from './byte-source.js'
import { type Chunks, inMemory, joined, sourceRange } from './chunks.js'
import { writeLeafPages } from './parquet-chunk-writer.js'
import type { LeafRows } from './parquet-rows.js'
import type { LeafChunk, ParquetLeaf } from './parquet-table.js'
import type { EncodedThrift } from './thrift.js'
import { thriftBinary, thriftI32, thriftI64, thriftList, thriftStruct } from './thrift-writer.js'

/** The pages of a leaf in one row group, and what the footer says of them. */
export interface WritableChunk {
  readonly leaf: ParquetLeaf
  readonly data: Chunks
  readonly codec: number
  readonly encodings: readonly number[]
  /** Values with those that are missing. */
  readonly entries: number
  readonly unpackedBytes: number
  /** Where in `data` the first data page is: at 0, or behind a dictionary. */
  readonly dataStart: number
}

export interface WritableGroup {
  readonly rows: number
  /** One a leaf; each is written before the next is asked for. */
  chunks(): AsyncIterable<WritableChunk>
}

const magic = new TextEncoder().encode('PAR1')

/**
 * A Parquet file of these row groups, with the schema, the key-value metadata and the order of columns of `footer`, byte by byte as they
 * are there. Nothing but the footer is held in memory.
 */
export async function* writeParquet(
  footer: ReadonlyMap<number, EncodedThrift>,
  groups: Iterable<WritableGroup>,
  createdBy: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield magic
  let at = magic.length
  let rows = 0
  const written: EncodedThrift[] = []
  for (const group of groups) {
    const columns: EncodedThrift[] = []
    let unpackedBytes = 0
    for await (const chunk of group.chunks()) {
      columns.push(thriftStruct({ 2: thriftI64(0), 3: columnMetadata(chunk, at) }))
      unpackedBytes += chunk.unpackedBytes
      at += chunk.data.byteLength
      yield* chunk.data.read()
    }
    rows += group.rows
    written.push(thriftStruct({ 1: thriftList(columns), 2: thriftI64(unpackedBytes), 3: thriftI64(group.rows) }))
  }
  const { bytes } = thriftStruct({
    1: footer.get(1) ?? thriftI32(1),
    2: footer.get(2),
    3: thriftI64(rows),
    4: thriftList(written),
    5: footer.get(5),
    6: thriftBinary(new TextEncoder().encode(createdBy)),
    7: footer.get(7),
  })
  yield bytes
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, bytes.length, true)
  yield length
  yield magic
}

/** What the footer says of a chunk that begins at `at`. Statistics are left out: they are those of all rows. */
function columnMetadata({ leaf, data, codec, encodings, entries, unpackedBytes, dataStart }: WritableChunk, at: number): EncodedThrift {
  return thriftStruct({
    1: thriftI32(leaf.type),
    2: thriftList(encodings.map(thriftI32)),
    3: thriftList(leaf.path.map(thriftBinary)),
    4: thriftI32(codec),
    5: thriftI64(entries),
    6: thriftI64(unpackedBytes),
    7: thriftI64(data.byteLength),
    9: thriftI64(at + dataStart),
    11: dataStart > 0 ? thriftI64(at) : undefined,
  })
}

/** A chunk of a source as it is. */
export function copyChunk(source: ByteSource, leaf: ParquetLeaf, chunk: LeafChunk, where: string): WritableChunk {
  const data = sourceRange(source, chunk, where)
  return {
    leaf,
    data,
    codec: chunk.codec,
    encodings: chunk.encodings,
    entries: chunk.values,
    unpackedBytes: Number.isFinite(chunk.unpackedBytes) ? chunk.unpackedBytes : data.byteLength,
    dataStart: chunk.dataStart - chunk.start,
  }
}

/** A chunk of these rows, uncompressed. Throws what `writeLeafPages` throws. */
export function newChunk(rows: LeafRows, leaf: ParquetLeaf, where: string): WritableChunk {
  const { parts, encodings, entries, dataStart } = writeLeafPages(rows, leaf, where)
  const data = joined(parts.map(inMemory))
  return { leaf, data, codec: 0, encodings, entries, unpackedBytes: data.byteLength, dataStart }
}
