import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type AuditColumns, labelKeys } from '../io/audit-arrays.js'
import type { AuditArrayName } from '../io/audit-names.js'
import type { ByteSource } from '../io/byte-source.js'
import { type ByteStream, inMemory, wholeSource } from '../io/chunks.js'
import { sniffFormat } from '../io/format.js'
import { cleanNpy } from './clean-array.js'
import { type Cleaned, cleanBundle, cleanPictureFile, leftOutReasons } from './clean-bundle.js'
import { cleanLabelText } from './clean-label-text.js'
import { cleanLines } from './clean-lines.js'
import type { RowChoice } from './row-choice.js'

/** What a file holds: an array of an audit, several, something a row that no audit reads (`rows`), or something else (`copy`). */
export type FileRole = AuditArrayName | 'images' | 'texts' | 'rows' | 'bundle' | 'copy'

export interface CleanFileOptions {
  readonly choice: RowChoice
  readonly columns: AuditColumns
  /** What lies elsewhere, by its name in an audit folder. */
  readonly replaced: ReadonlySet<string>
}

/**
 * A file with the kept rows alone, in its own format; what is no array of rows as it is. `name`: what the record calls it. Throws
 * `InputError` as the readers of the formats do.
 */
export async function cleanFile(
  { roles, name }: { readonly roles: readonly FileRole[]; readonly name: string },
  source: ByteSource,
  { choice, columns, replaced }: CleanFileOptions,
): Promise<Cleaned> {
  const { rows, keep, labelRows } = choice
  const where = `${roles.join(' and ')} (${showText(source.name, 200)})`
  const whole = (chunks: ByteStream): Cleaned => ({ chunks, leftOut: [] })
  const none = (reason: string): Cleaned => ({ chunks: null, leftOut: [{ name, reason }] })
  const format = await sniffFormat(source)
  const [role] = roles.includes('labels') ? ['labels'] : roles
  switch (role) {
    case 'labels':
    case 'preds': {
      const rowOf = role === 'labels' ? labelRows : keep
      if (format === 'npy') return whole(await cleanNpy(source, { kind: 'rows', rows, rowOf }, where))
      const wanted = labelKeys(role, columns.labels)
      return whole(inMemory(new TextEncoder().encode(await cleanLabelText(source, { keep, labelRows: rowOf, wanted }, where))))
    }
    case 'activations':
    case 'logits':
      return whole(await cleanNpy(source, { kind: 'rows', rows, rowOf: keep }, where))
    case 'rows':
      try {
        return whole(await cleanNpy(source, { kind: 'rows', rows, rowOf: keep }, where))
      } catch (error) {
        if (error instanceof InputError) return none(leftOutReasons.unreadable(error))
        throw error
      }
    case 'images':
      if (format === 'parquet') return (await import('./clean-parquet.js')).cleanParquetPictures(source, choice)
      if (format !== 'npy') return cleanPictureFile(source, name, choice)
      return whole(await cleanNpy(source, { kind: 'rows', rows, rowOf: keep }, where))
    case 'texts':
      if (format === 'npy') return whole(await cleanNpy(source, { kind: 'rows', rows, rowOf: keep }, where))
      return whole(inMemory(await cleanLines(source, keep, where)))
    case 'bundle': {
      // loaded when it is needed: it takes all decompressors with it
      if (format === 'parquet') return (await import('./clean-parquet.js')).cleanParquetBundle(source, { choice, replaced, columns })
      return cleanBundle(source, { name, choice, replaced, columns })
    }
    default:
      return whole(wholeSource(source, where))
  }
}
