import { type ByteSource, readBytes } from './byte-source.js'
import { checkValueCount, type ParquetChunk, type ParquetColumn } from './parquet-footer.js'
import { badParquet } from './parquet-metadata.js'
import { readPages } from './parquet-pages.js'

/**
 * The values of a column without lists in one row group, one a row: strings or bytes, null where a row has none. Throws what
 * `checkValueCount` and `readPages` throw.
 */
export async function readNullable(
  source: ByteSource,
  { column, chunk }: { readonly column: ParquetColumn; readonly chunk: ParquetChunk },
  where: string,
): Promise<(string | Uint8Array | null)[]> {
  checkValueCount(column, [chunk], where)
  const bytes = await readBytes(source, chunk.start, chunk.end, where)
  const { maxDefinition } = column
  const rows: (string | Uint8Array | null)[] = []
  for (const { entries, definition, values } of readPages(bytes, chunk, column, where)) {
    let next = 0
    for (let entry = 0; entry < entries; entry++) {
      const isThere = maxDefinition === 0 || definition[entry] === maxDefinition
      rows.push(isThere ? (values[next++] as string | Uint8Array) : null)
    }
  }
  if (rows.length === chunk.rows) return rows
  throw badParquet(where, `a column has ${rows.length} rows where its row group declares ${chunk.rows}`)
}
