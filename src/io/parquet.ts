import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ArraySource } from './array-source.js'
import { type ByteSource, readBytes } from './byte-source.js'
import type { ArrayData, FileArray } from './file-array.js'
import { matrixShape } from './matrix-shape.js'
import { type ParquetColumn, type ParquetKind, readParquetFooter } from './parquet-footer.js'
import { columnImages } from './parquet-images.js'
import { readNullable } from './parquet-nullable.js'
import { readPages } from './parquet-pages.js'
import { makeArray } from './parquet-values.js'
import { checkRowsPerBlock, cutRows, type RowBlocks, toNumbers } from './row-blocks.js'

/**
 * Opens a Parquet file: each column at the top of its schema under its name. A column of numbers, booleans or strings is read as `[n]`,
 * one of lists as `[n, d]`; lists within lists are flattened. A column is read chunk by chunk when it is asked for: as a whole, or its
 * rows block by block with one row group in memory at a time.
 *
 * The pages are decoded here, and only unpacked by hyparquet-compressors: typed arrays in place of a list a row, and a run that says it
 * is longer than its page is refused, not followed.
 *
 * Throws what `readParquetFooter` throws. Reading a column throws `InputError` `unsupported-column`, `missing-value` with the row of a
 * null or an empty list, `ragged` with the row of a list that is not as long as that of row 0, and what `readPages` throws.
 */
export async function openParquet(source: ByteSource): Promise<Map<string, ArraySource>> {
  const where = showText(source.name, 300)
  const columns = new Map<string, ArraySource>()
  for (const column of await readParquetFooter(source, where)) {
    const position = column.chunks[0]?.start ?? 0
    columns.set(column.name, {
      name: `${source.name}:${column.name}`,
      position,
      readArray: (label) => readColumn(source, column, label),
      openRows: (label) => openColumnRows(source, column, label),
      openImages: column.bytes ? async (label) => columnImages(source, column.bytes as ParquetColumn, label) : undefined,
      readTexts: holdsTexts(column) ? (label) => readColumnTexts(source, column, label) : undefined,
    })
  }
  return columns
}

async function readColumn(source: ByteSource, column: ParquetColumn, where: string): Promise<FileArray> {
  const kind = readableKind(column, where)
  const data = makeArray(kind, totalValues(column), where)
  let filled = 0
  let width = 0
  for await (const group of readGroups(source, column, where)) {
    put(data, group.data, filled)
    filled += group.data.length
    width = group.width
  }
  return { dtype: kind, shape: column.maxRepetition === 0 ? [column.rows] : [column.rows, width], data }
}

/** Texts are read when an audit is opened, whether somebody looks at them or not: a column of more than that is left alone. */
const maxTextBytes = 64 * 2 ** 20

function holdsTexts({ kind, isText, maxRepetition, chunks }: ParquetColumn): boolean {
  const unpackedBytes = chunks.reduce((sum, chunk) => sum + chunk.unpackedBytes, 0)
  return kind === 'string' && isText && maxRepetition === 0 && unpackedBytes <= maxTextBytes
}

async function readColumnTexts(source: ByteSource, column: ParquetColumn, where: string): Promise<string[]> {
  const texts: string[] = []
  for (const chunk of column.chunks) {
    for (const text of await readNullable(source, { column, chunk }, where)) texts.push((text as string | null) ?? '')
  }
  return texts
}

async function openColumnRows(source: ByteSource, column: ParquetColumn, where: string): Promise<RowBlocks> {
  const kind = readableKind(column, where)
  const { rows, cols } = matrixShape({ dtype: kind, shape: await declaredShape(source, column, where) }, where)
  return {
    rows,
    cols,
    async *blocks(rowsPerBlock) {
      checkRowsPerBlock(rowsPerBlock)
      for await (const { data, width } of readGroups(source, column, where)) {
        // where row 0 has another length than all have on the average, a row that is not like it is still to come
        if (width === cols) yield* cutRows(toNumbers(data), cols, rowsPerBlock)
      }
    },
  }
}

/** The shape by the footer alone, or where rows cannot be of one length, from reading the column, which tells what is wrong with it. */
async function declaredShape(source: ByteSource, column: ParquetColumn, where: string): Promise<readonly number[]> {
  const { rows, kind, maxRepetition } = column
  if (maxRepetition === 0) return [rows]
  const cols = rows === 0 ? 0 : totalValues(column) / rows
  if (Number.isInteger(cols) || kind === 'string') return [rows, Math.floor(cols)]
  return (await readColumn(source, column, where)).shape
}

function readableKind({ kind, reason }: ParquetColumn, where: string): Exclude<ParquetKind, 'binary'> {
  if (kind !== null && kind !== 'binary') return kind
  throw new InputError('unsupported-column', `${where}: is a column of ${reason}, expected numbers, strings or lists of numbers`)
}

function totalValues({ chunks }: ParquetColumn): number {
  return chunks.reduce((sum, { values }) => sum + values, 0)
}

/** The values of one row group after another: whole rows of `width` values, like row 0 of the column. */
async function* readGroups(
  source: ByteSource,
  column: ParquetColumn,
  where: string,
): AsyncGenerator<{ readonly data: ArrayData; readonly width: number }, void, undefined> {
  const kind = readableKind(column, where)
  const shape = rowShape(column, where)
  let endRow = 0
  for (const chunk of column.chunks) {
    const bytes = await readBytes(source, chunk.start, chunk.end, where)
    const data = makeArray(kind, chunk.values, where)
    let filled = 0
    for (const { entries, repetition, definition, values } of readPages(bytes, chunk, column, where)) {
      shape.add(entries, repetition, definition)
      put(data, values as ArrayData, filled)
      filled += values.length
    }
    endRow += chunk.rows
    shape.endChunk(endRow)
    yield { data, width: shape.width() }
  }
}

function put(data: ArrayData, values: ArrayData, at: number): void {
  if (!Array.isArray(data)) (data as Float32Array).set(values as Float32Array, at)
  else for (let index = 0; index < values.length; index++) data[at + index] = values[index] as string
}

/** Follows the levels of a column from page to page, and finds rows that lack a value or are not like row 0. */
function rowShape({ maxDefinition, maxRepetition }: ParquetColumn, where: string) {
  /** The repetition levels of row 0, which every other row has to have. */
  const pattern: number[] = []
  let row = -1
  let inRow = 0
  const ragged = (got: string): InputError =>
    new InputError('ragged', `${where}: row ${row} has ${got}, expected ${pattern.length} values as in row 0; make all lists one length`, {
      row,
    })
  const endRow = () => {
    if (row > 0 && inRow < pattern.length) throw ragged(`${inRow} values`)
    if (row === 0 && !isRectangular(pattern, maxRepetition)) throw ragged('inner lists of several lengths')
  }
  return {
    add(entries: number, repetition: ArrayLike<number>, definition: ArrayLike<number>) {
      for (let entry = 0; entry < entries; entry++) {
        const level = maxRepetition === 0 ? 0 : (repetition[entry] as number)
        if (level === 0) {
          endRow()
          row++
          inRow = 0
        } else if (row < 0) throw ragged('no beginning')
        if (maxDefinition > 0 && definition[entry] !== maxDefinition) {
          const what = maxRepetition > 0 ? 'a null or an empty list' : 'null'
          throw new InputError(
            'missing-value',
            `${where}: row ${row} is or holds ${what}, expected a value; fill it in or drop that row everywhere`,
            {
              row,
            },
          )
        }
        if (row === 0) pattern.push(level)
        else if (pattern[inRow] !== level)
          throw ragged(inRow >= pattern.length ? `more than ${inRow} values` : 'inner lists of other lengths')
        inRow++
      }
    },
    endChunk(rows: number) {
      endRow()
      if (row + 1 !== rows) {
        throw new InputError('bad-parquet', `${where}: has ${row + 1} rows where its row groups declare ${rows}; write it again`, { rows })
      }
      // the next chunk has to begin with a new row
      inRow = pattern.length
    },
    width: () => pattern.length,
  }
}

/** Whether inner lists all have one length, by the levels of a row. */
function isRectangular(pattern: readonly number[], maxRepetition: number): boolean {
  for (let level = 1; level < maxRepetition; level++) {
    const starts = pattern.flatMap((value, index) => (value <= level ? [index] : []))
    const step = starts[1] ?? pattern.length
    if (pattern.length % step !== 0 || starts.some((start, index) => start !== index * step)) return false
  }
  return true
}
