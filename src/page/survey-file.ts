import { AssayError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { blobSource } from '../io/blob-source.js'
import { openBundle } from '../io/bundle.js'
import type { ByteSource } from '../io/byte-source.js'
import { csvRecords } from '../io/csv.js'
import { refuseFormat, sniffFormat } from '../io/format.js'
import { openNpy } from '../io/npy.js'
import type { ParquetColumn } from '../io/parquet-footer.js'
import { readSafetensorsHeader } from '../io/safetensors.js'
import type { FoundArray, SurveyedFile } from './messages.js'

/** What is read of a text for the names of its columns. */
const headBytes = 2 ** 16
/** Arrays of one file that are told apart; a bundle can name any number. */
const mostArrays = 200

/** Looks at the head of a file: what it is and which arrays or columns it holds. Reads no values. Never throws: what is wrong is its `problem`. */
export async function surveyFile(file: File): Promise<SurveyedFile> {
  const { name, size: byteLength } = file
  try {
    return { name, byteLength, ...(await look(blobSource(file, name))), problem: null }
  } catch (error) {
    const said = error instanceof AssayError ? error.message : `${showText(name, 200)}: could not be read (${showText(error, 200)})`
    return { name, byteLength, kind: 'other', arrays: [], problem: said }
  }
}

async function look(source: ByteSource): Promise<Pick<SurveyedFile, 'kind' | 'arrays'>> {
  const format = await sniffFormat(source)
  if (format === 'npy') return { kind: 'array', arrays: [await npyArray('', source)] }
  if (format === 'safetensors') {
    const { tensors } = await readSafetensorsHeader(source, showText(source.name, 200))
    return { kind: 'bundle', arrays: tensors.slice(0, mostArrays).map(({ name, shape, dtype }) => found(name, shape, dtype)) }
  }
  if (format === 'parquet') {
    const { readParquetFooter } = await import('../io/parquet-footer.js')
    const columns = await readParquetFooter(source, showText(source.name, 200))
    return { kind: 'bundle', arrays: columns.slice(0, mostArrays).map(parquetColumn) }
  }
  const bundle = await openBundle(source, format)
  if (bundle) {
    const arrays: FoundArray[] = []
    for (const [key, member] of [...bundle.members].slice(0, mostArrays)) {
      arrays.push('slice' in member ? await memberArray(key, member) : unknown(key))
    }
    return { kind: 'bundle', arrays }
  }
  if (format === 'gzip' && /\.(?:jsonl|ndjson)\.gz$/i.test(source.name)) return { kind: 'other', arrays: [] }
  if (format !== 'json' && format !== 'unknown') {
    throw refuseFormat(format, showText(source.name, 200), 'a .npy file, a .npz, .safetensors or Parquet bundle, CSV or JSON')
  }
  return { kind: 'table', arrays: await tableColumns(source) }
}

async function npyArray(key: string, source: ByteSource): Promise<FoundArray> {
  const { shape, dtype } = await openNpy(source, showText(source.name, 200))
  return found(key, shape, dtype.name)
}

const unknown = (key: string): FoundArray => ({ key, dimensions: null, says: '' })
const found = (key: string, shape: readonly number[], dtype: string): FoundArray => ({
  key,
  dimensions: shape.length,
  says: `${shape.map((size) => size.toLocaleString('en-US')).join(' × ')} ${dtype.toLowerCase()}`,
})

function parquetColumn({ name, rows, kind, maxRepetition }: ParquetColumn): FoundArray {
  const type = kind ?? 'of a type that is not read'
  const says = `${rows.toLocaleString('en-US')} ${maxRepetition > 0 ? `lists, ${type}` : type}`
  return { key: name, dimensions: kind === null ? null : 1 + maxRepetition, says }
}

/** A member of an archive; one that is no array is named all the same. */
async function memberArray(key: string, member: ByteSource): Promise<FoundArray> {
  try {
    return await npyArray(key, member)
  } catch {
    return unknown(key)
  }
}

/** The names of the columns of CSV, or the keys of the first of JSON lines; none where it is one column or one list. */
async function tableColumns(source: ByteSource): Promise<FoundArray[]> {
  const where = showText(source.name, 200)
  const head = await source.slice(0, Math.min(headBytes, source.byteLength))
  const text = new TextDecoder().decode(head)
  if (text.includes('\0') || text.slice(0, -4).includes('\ufffd')) throw refuseFormat('unknown', where, 'a .npy file, CSV or JSON in UTF-8')
  const keys = text.trimStart().startsWith('{') ? jsonKeys(text) : text.trimStart().startsWith('[') ? [] : csvNames(text, where)
  return keys.slice(0, mostArrays).map(unknown)
}

function jsonKeys(text: string): string[] {
  try {
    return Object.keys(JSON.parse(text.trimStart().split('\n', 1)[0] as string) as object)
  } catch {
    return [] // an object of names over several lines, or something that its reader will refuse
  }
}

function csvNames(text: string, where: string): string[] {
  const names = csvRecords(text, where).next().value?.fields ?? []
  return names.length > 1 ? names.map((name) => name.trim()) : []
}
