import { InputError } from '../core/errors.js'
import type { Label, LabelsInput } from '../core/labels.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from './byte-source.js'
import { csvRecords } from './csv.js'
import { jsonLines } from './json-lines.js'

/** A text is held as a whole while its labels are taken out: 25 million rows of ten characters. */
const maxTextBytes = 256 * 2 ** 20

/**
 * One label a row out of text in UTF-8:
 * - JSON: a list of numbers or strings;
 * - JSON lines: a number or a string a line, or objects with one of the `wanted` keys;
 * - CSV: one column, with or without a header, or the first of the `wanted` columns that is there. Labels are numbers if all of them are whole numbers
 *   written in the usual way (`7`, `-7`, `7.0`, but not `07`), else strings as they stand.
 *
 * A file that begins with `[` is JSON, with `{` JSON lines; text has no other mark, so that a number or a quote is taken for CSV unless
 * the file's name ends in `.jsonl` or `.ndjson`. Throws `InputError`: `too-large`, `not-text`, `bad-json`, `bad-csv`, `no-column`,
 * `bad-label` with the row, counted from 0 without the header.
 */
export async function readTextLabels(source: ByteSource, where: string, wanted: readonly string[]): Promise<LabelsInput> {
  const text = await readLabelText(source, where)
  switch (labelTextForm(text, source.name)) {
    case 'json':
      return jsonList(text, where) as LabelsInput
    case 'json-lines':
      return jsonLineLabels(text, where, wanted) as LabelsInput
    case 'csv':
      return csvLabels(text, where, wanted) as LabelsInput
  }
}

/** The whole text. Throws `InputError` `too-large`, `unsupported-format` for what is no UTF-8. */
export async function readLabelText(source: ByteSource, where: string): Promise<string> {
  if (source.byteLength > maxTextBytes) {
    throw new InputError('too-large', `${where}: has ${source.byteLength} bytes of text, expected at most ${maxTextBytes}; save it as .npy`)
  }
  const bytes = await readBytes(source, 0, source.byteLength, where)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw notText(where, cause)
  }
  if (text.includes('\0')) throw notText(where)
  return text
}

export function labelTextForm(text: string, fileName: string): 'json' | 'json-lines' | 'csv' {
  const first = /[^ \t\r\n]/.exec(text)?.[0]
  if (first === '[') return 'json'
  return first === '{' || /\.(?:jsonl|ndjson)$/i.test(fileName) ? 'json-lines' : 'csv'
}

function notText(where: string, cause?: unknown): InputError {
  const message = `${where}: is of no format known here, expected a .npy file, or CSV, JSON or JSON lines in UTF-8; convert it first`
  return new InputError('unsupported-format', message, {}, cause)
}

export function jsonList(text: string, where: string): readonly unknown[] {
  try {
    return JSON.parse(text) as unknown[]
  } catch (cause) {
    throw new InputError(
      'bad-json',
      `${where}: is not valid JSON, expected a list of numbers or strings; write it with a JSON library`,
      {},
      cause,
    )
  }
}

function jsonLineLabels(text: string, where: string, wanted: readonly string[]): readonly unknown[] {
  const labels: unknown[] = []
  for (const value of jsonLines(text, where)) {
    labels.push(value !== null && typeof value === 'object' ? ofObject(value, wanted, `${where}: row ${labels.length}`) : value)
  }
  return labels
}

function ofObject(value: object, wanted: readonly string[], where: string): unknown {
  return (value as Record<string, unknown>)[labelKey(value, wanted, where)]
}

/** The first of the `wanted` keys that an object has. Throws `InputError` `no-column`. */
export function labelKey(value: object, wanted: readonly string[], where: string): string {
  const key = wanted.find((name) => Object.hasOwn(value, name))
  if (key !== undefined) return key
  const shown = wanted.map((name) => `'${showText(name)}'`).join(', ')
  throw new InputError('no-column', `${where} has no key ${shown}; name the key that holds the labels (--label-column)`)
}

function csvLabels(text: string, where: string, wanted: readonly string[]): readonly Label[] {
  const { cells } = csvLabelCells(text, where, wanted)
  const empty = cells.indexOf('')
  if (empty >= 0) {
    throw new InputError('bad-label', `${where}: row ${empty} is empty, expected a label; fill it in or drop that row everywhere`, {
      row: empty,
    })
  }
  return cells.every(isWhole) ? cells.map(toWhole) : cells
}

/** The labels of a table, and where its rows are: row i is `text.slice(starts[i], starts[i + 1])`, what lies before them the header. */
export interface CsvLabelCells {
  readonly cells: readonly string[]
  readonly starts: readonly number[]
  /** The column of the labels. */
  readonly column: number
}

/** Throws `InputError` `bad-csv`, `no-column`. */
export function csvLabelCells(text: string, where: string, wanted: readonly string[]): CsvLabelCells {
  const records = csvRecords(text, where)
  const first = records.next()
  if (first.done) return { cells: [], starts: [0], column: 0 }
  const names = first.value.fields.map((name) => name.trim())
  const column = columnIndex(names, where, wanted)
  const cells: string[] = []
  const starts = [first.value.end]
  for (const { fields, end } of records) {
    if (fields.length !== names.length) {
      const row = cells.length
      throw new InputError(
        'bad-csv',
        `${where}: row ${row} has ${fields.length} fields, expected ${names.length} as in the first line; mend it`,
        {
          row,
        },
      )
    }
    cells.push(fields[column] as string)
    starts.push(end)
  }
  // a single column has a header where its name is one that labels go by, or where it is a word and the rest are numbers
  const name = names[column] as string
  const known = wanted.includes(name) || wanted.includes(name.toLowerCase())
  const header = names.length > 1 || known || (cells.length > 0 && /\p{L}/u.test(name) && cells.every(isWhole))
  if (!header) {
    cells.unshift(first.value.fields[column] as string)
    starts.unshift(0)
  }
  return { cells, starts, column }
}

/** The one column, or the wanted one of several. */
function columnIndex(names: readonly string[], where: string, wanted: readonly string[]): number {
  if (names.length === 1) return 0
  const name = wanted.find((candidate) => names.includes(candidate))
  if (name === undefined) {
    const shown = names.slice(0, 12).map((given) => `'${showText(given, 60)}'`)
    const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : ''
    const expected = wanted.map((candidate) => `'${showText(candidate)}'`).join(' or ')
    throw new InputError(
      'no-column',
      `${where}: has the columns ${shown.join(', ')}${more}, expected ${expected}; name the one that holds the labels (--label-column)`,
    )
  }
  if (names.indexOf(name) !== names.lastIndexOf(name)) {
    throw new InputError('duplicate-name', `${where}: has two columns '${showText(name)}', expected one; rename the other`)
  }
  return names.indexOf(name)
}

function isWhole(text: string): boolean {
  return /^-?(?:0|[1-9]\d*)(?:\.0+)?$/.test(text)
}

/** As 64-bit integers in other formats: decimal strings where float64 does not hold them. */
function toWhole(text: string): Label {
  const digits = text.replace(/\.0+$/, '')
  const value = Number(digits)
  return Number.isSafeInteger(value) ? value : digits
}
