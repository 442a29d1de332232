import { InputError } from '../core/errors.js'
import { gatherProblems } from '../core/problems.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { checkDecodable } from '../io/parquet-encoded-pages.js'
import { joinLeafRows, type LeafRows, pickLeafRows, readLeafRows } from '../io/parquet-rows.js'
import { type ParquetLeaf, type ParquetTable, type RowGroup, readParquetTable } from '../io/parquet-table.js'
import { copyChunk, newChunk, type WritableChunk, writeParquet } from '../io/parquet-writer.js'
import { version } from '../version.js'
import { type BundleOptions, type Cleaned, labelKeyIn } from './clean-bundle.js'
import type { RowChoice } from './row-choice.js'

/** Columns whose entries belong to no row of activations, and how to name another file in their place. */
const ofNoRow = { trusted_activations: '--trusted', trusted_labels: '--trusted-labels', class_names: '--class-names' } as const

/**
 * A bundle as Parquet with the kept rows of every column, read by an audit or not: the same schema and key-value metadata, the same bytes for
 * each value. Row groups of which no row goes are copied as they are; in others the pages are written anew, uncompressed, with one column of
 * one row group in memory at a time. The column of the labels gets those of `choice.labelRows`, unless another file was named in its place.
 *
 * Throws `InputError`: `row-count`, `unsupported-column` where a column cannot be kept, `unsupported-compression` or `unsupported-encoding`
 * where it cannot be read, and what reading the footer and the labels throws. What is wrong with the pages shows while they are written.
 */
export async function cleanParquetBundle(
  source: ByteSource,
  { choice, columns, replaced }: Pick<BundleOptions, 'choice' | 'columns' | 'replaced'>,
): Promise<Cleaned> {
  const where = showText(source.name, 300)
  const table = await readParquetTable(source, where)
  const problems = gatherProblems()
  for (const [column, flag] of Object.entries(ofNoRow)) {
    if (choice.keep.length === choice.rows || replaced.has(column) || !table.columns.includes(column)) continue
    const what = 'has an entry for each row of the table, some of which go, but belongs to none of them'
    const mend = `save it as a file of its own, and name it (${flag})`
    problems.add(new InputError('unsupported-column', `${where}: column '${column}' ${what}, expected it elsewhere; ${mend}`, { column }))
  }
  problems.throwIfAny()
  return cleanTable({ source, table, where }, choice, replaced.has('labels') ? null : labelKeyIn(table.columns, columns))
}

/** A Parquet file with pictures, as `cleanParquetBundle`: whatever else it holds is kept as it is. */
export async function cleanParquetPictures(source: ByteSource, choice: RowChoice): Promise<Cleaned> {
  const where = showText(source.name, 300)
  return cleanTable({ source, table: await readParquetTable(source, where), where }, choice, null)
}

interface OpenTable {
  readonly source: ByteSource
  readonly table: ParquetTable
  readonly where: string
}

async function cleanTable(open: OpenTable, choice: RowChoice, labels: string | null): Promise<Cleaned> {
  const { source, table, where } = open
  if (table.rows !== choice.rows) {
    const message = `${where}: has ${table.rows} rows, expected ${choice.rows}, one for each row of activations`
    throw new InputError('row-count', message, { got: table.rows, rows: choice.rows })
  }
  const exemplars = labels === null ? null : await readExemplars(open, choice, labels)
  const plans = planGroups(table.groups, choice, exemplars?.rowOf ?? [])
  const isCopied = ({ group, keep, relabels }: GroupPlan, { column }: ParquetLeaf) =>
    keep.length === group.rows && !(relabels && column === labels)
  const problems = gatherProblems()
  for (const leaf of table.leaves) {
    problems.attempt(() => {
      for (const plan of plans) if (!isCopied(plan, leaf)) checkDecodable(chunkOf(plan.group, leaf), whereOf(leaf, where))
    })
  }
  problems.throwIfAny()
  async function* chunksOf(plan: GroupPlan): AsyncGenerator<WritableChunk> {
    for (const leaf of table.leaves) {
      const chunk = chunkOf(plan.group, leaf)
      const at = whereOf(leaf, where)
      if (isCopied(plan, leaf)) {
        yield copyChunk(source, leaf, chunk, at)
        continue
      }
      const rows = await readLeafRows(source, leaf, chunk, at)
      const isRelabelled = exemplars && plan.relabels && leaf.column === labels
      const picked = isRelabelled ? pickLeafRows(joinLeafRows(rows, exemplars.rows, leaf), plan.labelRows) : pickLeafRows(rows, plan.keep)
      yield newChunk(picked, leaf, at)
    }
  }
  const groups = plans.map((plan) => ({ rows: plan.keep.length, chunks: () => chunksOf(plan) }))
  return { chunks: { read: () => writeParquet(table.footer, groups, `assay version ${version}`) }, leftOut: [] }
}

interface GroupPlan {
  readonly group: RowGroup
  /** Rows of the group. */
  readonly keep: Uint32Array
  /** For each of them whose label it gets: a row of the group, or, behind all of these, an exemplar. */
  readonly labelRows: Uint32Array
  readonly relabels: boolean
}

/** What becomes of each row group; those of which nothing is left are none. `exemplars` are rows of the table. */
function planGroups(groups: readonly RowGroup[], { keep, labelRows }: RowChoice, exemplars: readonly number[]): GroupPlan[] {
  const exemplarAt = new Map(exemplars.map((row, index) => [row, index]))
  const plans: GroupPlan[] = []
  let first = 0
  let from = 0
  for (const group of groups) {
    let to = from
    while (to < keep.length && (keep[to] as number) < first + group.rows) to++
    const own = keep.subarray(from, to).map((row) => row - first)
    const labelled = own.map((row, at) => {
      const labelRow = labelRows[from + at] as number
      return labelRow === row + first ? row : group.rows + (exemplarAt.get(labelRow) ?? 0)
    })
    const relabels = exemplars.length > 0 && labelled.some((row, at) => row !== own[at])
    if (own.length > 0) plans.push({ group, keep: own, labelRows: labelled, relabels })
    first += group.rows
    from = to
  }
  return plans
}

interface Exemplars {
  /** Ascending. */
  readonly rowOf: readonly number[]
  readonly rows: LeafRows
}

/** The rows whose labels others get; null where every row keeps its own. */
async function readExemplars(
  { source, table, where }: OpenTable,
  { keep, labelRows }: RowChoice,
  labels: string,
): Promise<Exemplars | null> {
  const rowOf = [...new Set(labelRows.filter((row, at) => row !== keep[at]))].sort((a, b) => a - b)
  if (rowOf.length === 0) return null
  const [leaf, ...others] = table.leaves.filter(({ column }) => column === labels)
  if (!leaf || others.length > 0) {
    const message = `${where}: has no column '${showText(labels)}' with labels, expected one of values or lists; name it (--label-column)`
    throw new InputError('unsupported-column', message, { column: labels })
  }
  let rows: LeafRows | null = null
  let first = 0
  for (const group of table.groups) {
    const own = rowOf.filter((row) => row >= first && row < first + group.rows).map((row) => row - first)
    first += group.rows
    if (own.length === 0) continue
    const picked = pickLeafRows(await readLeafRows(source, leaf, chunkOf(group, leaf), whereOf(leaf, where)), Uint32Array.from(own))
    rows = rows ? joinLeafRows(rows, picked, leaf) : picked
  }
  if (!rows) throw new Error('unreachable: every row is in a row group')
  return { rowOf, rows }
}

function chunkOf({ chunks }: RowGroup, { index }: ParquetLeaf) {
  const chunk = chunks[index]
  if (!chunk) throw new Error('unreachable: a row group has a chunk for every leaf')
  return chunk
}

const whereOf = ({ column }: ParquetLeaf, where: string) => `column '${showText(column)}' (${where})`
