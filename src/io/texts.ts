import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { AuditSource } from './array-source.js'
import { type ByteSource, readBytes } from './byte-source.js'
import { refuseFormat, sniffFormat } from './format.js'
import { gunzip } from './gunzip.js'
import { jsonLines } from './json-lines.js'
import { readNpy } from './npy.js'

/** Texts are held in memory, and twice as long as they are read. */
const maxTextBytes = 256 * 2 ** 20

/**
 * The texts of an audit of `rows` rows (undefined where that is not known, as something else is wrong), one a row: JSON lines of strings or
 * of objects with a string under `text`, gzip-compressed or not; a `.npy` of strings; or a bundle's array of them.
 *
 * Throws `InputError`: `unsupported-format`, `too-large` for more than 256 MiB of lines, `not-text`, `bad-json`, `bad-type` with the row,
 * `bad-shape`, `row-count`, and what `gunzip` and `readNpy` throw.
 */
export async function readTexts(source: AuditSource, rows: number | undefined): Promise<readonly string[]> {
  const where = `texts (${showText(source.name, 200)})`
  const texts = await readAll(source, rows ?? Number.POSITIVE_INFINITY, where)
  if (rows !== undefined && texts.length !== rows) throw wrongCount(`${texts.length}`, rows, where)
  return texts
}

async function readAll(source: AuditSource, limit: number, where: string): Promise<readonly string[]> {
  if ('readArray' in source) {
    if (source.readTexts) return source.readTexts(where)
    throw new InputError('bad-type', `${where}: expected strings; save them as text, or under another name`)
  }
  const format = await sniffFormat(source)
  if (format === 'npy') return readStrings(source, where)
  if (['zip', 'parquet', 'hdf5', 'arrow', 'empty'].includes(format)) {
    throw refuseFormat(format, where, 'JSON lines, gzip-compressed or not, or a .npy file of strings')
  }
  return readLines(format === 'gzip' ? await gunzip(source, maxTextBytes, where) : await readPlain(source, where), limit, where)
}

async function readStrings(source: ByteSource, where: string): Promise<readonly string[]> {
  const { dtype, shape, data } = await readNpy(source, where)
  if (!Array.isArray(data)) throw new InputError('bad-type', `${where}: holds ${dtype}, expected strings; save it with array.astype(str)`)
  if (shape.length === 1) return data
  throw new InputError('bad-shape', `${where}: has shape [${shape.join(', ')}], expected one text a row`, { shape })
}

async function readPlain(source: ByteSource, where: string): Promise<Uint8Array> {
  if (source.byteLength > maxTextBytes) {
    throw new InputError(
      'too-large',
      `${where}: has ${source.byteLength} bytes, expected at most ${maxTextBytes}; leave it out, or shorten it`,
    )
  }
  return readBytes(source, 0, source.byteLength, where)
}

function readLines(bytes: Uint8Array, limit: number, where: string): readonly string[] {
  let lines: string
  try {
    lines = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new InputError('not-text', `${where}: is not UTF-8, expected JSON lines; write it with a JSON library`, {}, cause)
  }
  const texts: string[] = []
  for (const value of jsonLines(lines, where)) {
    if (texts.length === limit) throw wrongCount('more', limit, where)
    const text = value !== null && typeof value === 'object' && Object.hasOwn(value, 'text') ? (value as { text: unknown }).text : value
    if (typeof text !== 'string') {
      const row = texts.length
      throw new InputError('bad-type', `${where}: row ${row} is no text, expected a string, or an object with a string under text`, { row })
    }
    texts.push(text)
  }
  return texts
}

function wrongCount(got: string, rows: number, where: string): InputError {
  return new InputError('row-count', `${where}: got ${got} rows, expected ${rows}, one for each row of activations`, { rows })
}
