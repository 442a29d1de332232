import { InputError } from '../core/errors.js'
import type { Images } from './array-source.js'
import type { ByteSource } from './byte-source.js'
import { imageMediaType } from './media-type.js'
import type { ParquetChunk, ParquetColumn } from './parquet-footer.js'
import { readNullable } from './parquet-nullable.js'
import { readOnce } from './read-once.js'

/**
 * Pictures that are files within a column of bytes, one a row. The row group of a picture is read when the picture is asked for, and the
 * last one stays in memory. Reading one throws `InputError` `missing-value` where the row has none, `unsupported-image` where it is no PNG,
 * JPEG, GIF, WebP or BMP, and what `readNullable` throws.
 */
export function columnImages(source: ByteSource, column: ParquetColumn, where: string): Images {
  let group: { readonly chunk: ParquetChunk; readonly read: () => ReturnType<typeof readNullable> } | null = null
  return {
    count: column.rows,
    async read(index) {
      const { chunk, start } = chunkOf(column, index)
      if (group?.chunk !== chunk) group = { chunk, read: readOnce(() => readNullable(source, { column, chunk }, where)) }
      const bytes = (await group.read())[index - start] as Uint8Array | null
      if (bytes === null) {
        throw new InputError(
          'missing-value',
          `${where}: row ${index} has no bytes, expected a picture within the file: one that lies elsewhere is never opened; embed it`,
          { row: index },
        )
      }
      const mediaType = imageMediaType(bytes)
      if (mediaType !== null) return { kind: 'encoded', mediaType, data: bytes.slice() }
      throw new InputError('unsupported-image', `${where}: row ${index} is no picture, expected a PNG, JPEG, GIF, WebP or BMP file`, {
        row: index,
      })
    },
  }
}

function chunkOf({ chunks, rows }: ParquetColumn, row: number): { readonly chunk: ParquetChunk; readonly start: number } {
  let start = 0
  for (const chunk of chunks) {
    if (row < start + chunk.rows) return { chunk, start }
    start += chunk.rows
  }
  throw new RangeError(`row ${row} of ${rows}`)
}
