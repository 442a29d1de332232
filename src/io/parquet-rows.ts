import { type ByteSource, readBytes } from './byte-source.js'
import { concatBytes } from './concat-bytes.js'
import { expansionLimit, readEncodedPages } from './parquet-encoded-pages.js'
import { checkValueCount, type ParquetChunk } from './parquet-footer.js'
import { badParquet } from './parquet-metadata.js'
import { joinStored, pickBytes, pickStored, type Runs, readStored, type StoredValues } from './parquet-stored.js'
import type { ParquetLeaf } from './parquet-table.js'

/** Rows of a leaf: the levels of each entry (empty where the leaf has none), and the values of those that are there. */
export interface LeafRows {
  readonly repetition: Uint8Array
  readonly definition: Uint8Array
  readonly values: StoredValues
  /** [rows + 1]: where the entries, and the values, of each row begin, and where the last one's end. */
  readonly entryStarts: Uint32Array
  readonly valueStarts: Uint32Array
}

/**
 * All rows that a chunk has. Throws `InputError` `bad-parquet` where they are not as many as its row group declares, and what
 * `checkValueCount`, `readEncodedPages` and `readStored` throw.
 */
export async function readLeafRows(source: ByteSource, leaf: ParquetLeaf, chunk: ParquetChunk, where: string): Promise<LeafRows> {
  const { maxRepetition, maxDefinition, itemBytes } = leaf
  checkValueCount({ name: leaf.column, itemBytes }, [chunk], where)
  const bytes = await readBytes(source, chunk.start, chunk.end, where)
  const spend = expansionLimit(bytes.length, where)
  const repetition = new Uint8Array(maxRepetition === 0 ? 0 : chunk.values)
  const definition = new Uint8Array(maxDefinition === 0 ? 0 : chunk.values)
  const entryStarts = new Uint32Array(chunk.rows + 1)
  const valueStarts = new Uint32Array(chunk.rows + 1)
  const parts: StoredValues[] = []
  let dictionary: StoredValues | null = null
  let row = 0
  let entries = 0
  let values = 0
  for (const page of readEncodedPages(bytes, chunk, { levels: leaf, spend }, where)) {
    const stored = readStored(page, { leaf, dictionary, spend }, where)
    if (page.isDictionary) {
      dictionary = stored
      continue
    }
    parts.push(stored)
    if (maxRepetition > 0) repetition.set(page.repetition, entries)
    if (maxDefinition > 0) definition.set(page.definition, entries)
    for (const end = entries + page.entries; entries < end; entries++) {
      if (maxRepetition === 0 || repetition[entries] === 0) {
        // beyond the last row they are not written, and counted all the same
        entryStarts[row] = entries
        valueStarts[row++] = values
      } else if (row === 0) throw badParquet(where, 'a column begins in the middle of a row')
      if (maxDefinition === 0 || definition[entries] === maxDefinition) values++
    }
  }
  if (row !== chunk.rows) throw badParquet(where, `a column has ${row} rows where its row group declares ${chunk.rows}`)
  entryStarts[row] = entries
  valueStarts[row] = values
  return { repetition, definition, values: joinStored(parts, leaf), entryStarts, valueStarts }
}

/** Rows in the order given, each as often as it is named. */
export function pickLeafRows(from: LeafRows, rowOf: Uint32Array): LeafRows {
  const { entryStarts, valueStarts } = from
  const runs = runsOf(rowOf)
  const entryRuns = runs.map(([start, end]) => [startOf(entryStarts, start), startOf(entryStarts, end)] as const)
  const valueRuns = runs.map(([start, end]) => [startOf(valueStarts, start), startOf(valueStarts, end)] as const)
  return {
    repetition: pickBytes({ itemBytes: 1, bytes: from.repetition }, entryRuns),
    definition: pickBytes({ itemBytes: 1, bytes: from.definition }, entryRuns),
    values: pickStored(from.values, valueRuns),
    entryStarts: startsOf(rowOf.length, (at) => sizeOf(entryStarts, rowOf[at] as number)),
    valueStarts: startsOf(rowOf.length, (at) => sizeOf(valueStarts, rowOf[at] as number)),
  }
}

/** The rows of one behind those of another of the same leaf. */
export function joinLeafRows(first: LeafRows, second: LeafRows, leaf: ParquetLeaf): LeafRows {
  const rows = first.entryStarts.length - 1
  const total = rows + second.entryStarts.length - 1
  const joinStarts = (a: Uint32Array, b: Uint32Array) => startsOf(total, (row) => (row < rows ? sizeOf(a, row) : sizeOf(b, row - rows)))
  return {
    repetition: concatBytes([first.repetition, second.repetition]),
    definition: concatBytes([first.definition, second.definition]),
    values: joinStored([first.values, second.values], leaf),
    entryStarts: joinStarts(first.entryStarts, second.entryStarts),
    valueStarts: joinStarts(first.valueStarts, second.valueStarts),
  }
}

const startOf = (starts: Uint32Array, row: number) => starts[row] as number
const sizeOf = (starts: Uint32Array, row: number) => startOf(starts, row + 1) - startOf(starts, row)

function startsOf(rows: number, sizeAt: (row: number) => number): Uint32Array {
  const starts = new Uint32Array(rows + 1)
  for (let row = 0; row < rows; row++) starts[row + 1] = startOf(starts, row) + sizeAt(row)
  return starts
}

/** Rows that follow each other, in one. */
function runsOf(rowOf: Uint32Array): Runs {
  const runs: [number, number][] = []
  for (const row of rowOf) {
    const last = runs.at(-1)
    if (last && last[1] === row) last[1]++
    else runs.push([row, row + 1])
  }
  return runs
}
