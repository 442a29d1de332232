import type { ByteSource } from '../io/byte-source.js'
import { csvRecords, csvText } from '../io/csv.js'
import { csvLabelCells, jsonList, labelKey, labelTextForm, readLabelText } from '../io/label-text.js'

export interface LabelTextRows {
  /** The rows that stay, ascending. */
  readonly keep: Uint32Array
  /** For each of them the row whose label it gets. */
  readonly labelRows: Uint32Array
  /** The columns or keys to look for labels in, the first that is there. */
  readonly wanted: readonly string[]
}

/**
 * Labels as text (CSV, JSON, JSON lines) with just these rows, in the same form. Rows whose label stays are kept as they are written; in one
 * that is relabelled only the label is changed. Throws `InputError` as `readTextLabels` does.
 */
export async function cleanLabelText(source: ByteSource, rows: LabelTextRows, where: string): Promise<string> {
  const text = await readLabelText(source, where)
  switch (labelTextForm(text, source.name)) {
    case 'json': {
      const labels = jsonList(text, where)
      return `${JSON.stringify(Array.from(rows.labelRows, (row) => labels[row]))}\n`
    }
    case 'json-lines':
      return cleanJsonLines(text, rows, where)
    case 'csv':
      return cleanCsv(text, rows, where)
  }
}

function cleanCsv(text: string, { keep, labelRows, wanted }: LabelTextRows, where: string): string {
  const { cells, starts, column } = csvLabelCells(text, where, wanted)
  const lines = Array.from(keep, (row, at) => {
    const line = text.slice(starts[row], starts[row + 1])
    const from = labelRows[at] as number
    if (from === row) return line
    const fields = csvRecords(line, where).next().value?.fields ?? []
    return csvText(fields.with(column, cells[from] as string)) + lineEnd(line)
  })
  return text.slice(0, starts[0]) + lines.join('')
}

function cleanJsonLines(text: string, { keep, labelRows, wanted }: LabelTextRows, where: string): string {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  return Array.from(keep, (row, at) => {
    const line = lines[row] as string
    const from = labelRows[at] as number
    if (from === row) return line
    const [own, other] = [parseExactly(line), parseExactly(lines[from] as string)]
    const label = isObject(other) ? other[labelKey(other, wanted, where)] : other
    const relabelled = isObject(own) ? { ...own, [labelKey(own, wanted, where)]: label } : label
    return JSON.stringify(relabelled) + lineEnd(line)
  }).join('')
}

/** As `JSON.parse`, where numbers are kept as they are written: float64 does not hold them all. */
function parseExactly(line: string): unknown {
  const { parse, rawJSON } = JSON as unknown as {
    parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
    rawJSON?(source: string): unknown
  }
  return parse(line, (_, value, { source }) => (typeof value === 'number' && rawJSON && source !== undefined ? rawJSON(source) : value))
}

/** An object of keys; one that stands for a number as it is written is none. */
function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !('rawJSON' in value && Object.isFrozen(value))
}

const lineEnd = (line: string) => /\r?\n$/.exec(line)?.[0] ?? ''
