import { readDeltaByteArrays, readDeltaIntegers, readDeltaLengthByteArrays } from './parquet-delta.js'
import { type EncodedPage, expansionLimit, readEncodedPages, type Spend, unsupportedEncoding } from './parquet-encoded-pages.js'
import type { ParquetChunk, ParquetColumn } from './parquet-footer.js'
import { badParquet } from './parquet-metadata.js'
import { makeArray, ofByteArrays, type ParquetValues, readByteStreamSplit, readFlags, readIndices, readPlain } from './parquet-values.js'

/** The values of one page, without those that are missing, and their levels (empty where the column has none). */
export interface ParquetPage extends Pick<EncodedPage, 'entries' | 'repetition' | 'definition'> {
  readonly values: ParquetValues
}

/**
 * The data pages of a column chunk, one after another: PLAIN, dictionary, run-length (booleans), split-stream and the three delta encodings.
 * `bytes` are the chunk's.
 *
 * Throws what `readEncodedPages` throws, `InputError` `unsupported-encoding`, `too-large` where pages come to more than 1,100 times what they
 * take, prefixes that delta encodings repeat included, and what reading values throws.
 */
export function* readPages(
  bytes: Uint8Array,
  chunk: ParquetChunk,
  column: ParquetColumn,
  where: string,
): Generator<ParquetPage, void, undefined> {
  const { kind } = column
  if (kind === null) throw new Error('unreachable: the column was checked')
  const spend = expansionLimit(bytes.length, where)
  let dictionary: ParquetValues | null = null
  for (const page of readEncodedPages(bytes, chunk, { levels: column, spend }, where)) {
    const { isDictionary, entries, repetition, definition, present, encoding, body } = page
    if (isDictionary) dictionary = readPlain(body, kind, entries, where)
    else yield { entries, repetition, definition, values: readValues(body, { encoding, present, dictionary, kind, spend }, where) }
  }
}

interface PageValues {
  readonly encoding: number
  readonly present: number
  readonly dictionary: ParquetValues | null
  readonly kind: NonNullable<ParquetColumn['kind']>
  readonly spend: Spend
}

function readValues(body: Uint8Array, { encoding, present, dictionary, kind, spend }: PageValues, where: string): ParquetValues {
  if (encoding === 0) return readPlain(body, kind, present, where)
  if (encoding === 5) return readDeltaIntegers(body, kind, present, where)
  if (encoding === 6) return ofByteArrays(readDeltaLengthByteArrays(body, present, where), kind, where)
  if (encoding === 7) return ofByteArrays(readDeltaByteArrays(body, present, spend, where), kind, where)
  if (encoding === 9) return readByteStreamSplit(body, kind, present, where)
  if (encoding === 3 && kind === 'bool') return readFlags(body, present, where)
  if (encoding !== 2 && encoding !== 8) throw unsupportedEncoding(encoding, where)
  if (!dictionary) throw badParquet(where, 'a page refers to a dictionary that is missing')
  const indices = readIndices(body, { present, below: dictionary.length }, where)
  const values = makeArray(kind, present, where) as unknown as Record<number, unknown>
  for (let index = 0; index < present; index++) values[index] = dictionary[indices[index] as number]
  return values as unknown as ParquetValues
}
