import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { labelKeys } from '../io/audit-arrays.js'
import type { ByteSource } from '../io/byte-source.js'
import { type ByteStream, inMemory, wholeSource } from '../io/chunks.js'
import { sniffFormat } from '../io/format.js'
import type { AuditFiles } from '../io/node-open-audit.js'
import { rootOf } from '../io/node-root-digest.js'
import { type VerifiedSource, verifiedSource } from '../io/node-verified-source.js'
import { cleanNpy } from './clean-array.js'
import { type Cleaned, cleanBundle, cleanPictureFile, type LeftOut, leftOutReasons } from './clean-bundle.js'
import { cleanLabelText } from './clean-label-text.js'
import { cleanLines } from './clean-lines.js'
import type { InputFile, InputFiles } from './node-input-files.js'
import type { RowChoice } from './row-choice.js'

/** A file of the output. */
export interface CleanedFile {
  readonly name: string
  readonly chunks: ByteStream
  /** How many arrays an audit of the output takes from it: as often its digest counts for the audit's. */
  readonly audited: number
}

export interface CleanFilesOptions {
  readonly choice: RowChoice
  /** For the names of columns. */
  readonly files: AuditFiles
  /** The files that the report is of: those that an audit reads have to be these still. */
  readonly expected: readonly { readonly name: string; readonly sha256: string }[]
}

/**
 * Every file with the kept rows alone, in its own format and under its own name; what is no array of rows as it is. The bytes are read as
 * they are written, and are those that were audited. Throws `InputError` `changed` where the files are not those that were audited, and
 * what the readers of the formats throw.
 */
export async function cleanFiles(
  inputs: InputFiles,
  options: CleanFilesOptions,
): Promise<{ readonly files: readonly CleanedFile[]; readonly leftOut: readonly LeftOut[] }> {
  const opened = await Promise.all(inputs.files.map(async (file) => ({ file, source: await verifiedSource(file.path) })))
  await checkUnchanged(opened, options.expected)
  const files: CleanedFile[] = []
  const leftOut = [...inputs.leftOut]
  for (const { file, source } of opened) {
    const cleaned = await cleanFile(file, source, { ...options, replaced: inputs.replaced })
    leftOut.push(...cleaned.leftOut)
    if (cleaned.chunks) files.push({ name: file.name, chunks: cleaned.chunks, audited: file.audited ? file.roles.length : 0 })
  }
  return { files, leftOut: leftOut.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)) }
}

interface OpenedFile {
  readonly file: InputFile
  readonly source: VerifiedSource
}

/** What an audit reads has to be what was audited; a file is counted once for each array in it. */
async function checkUnchanged(opened: readonly OpenedFile[], expected: CleanFilesOptions['expected']): Promise<void> {
  const hashed: { name: string; digest: Uint8Array }[] = []
  for (const { file, source } of opened) {
    if (file.audited) for (const _ of file.roles) hashed.push({ name: file.name, digest: await source.digest() })
  }
  const { files: got } = rootOf(hashed)
  const isSame =
    got.length === expected.length && got.every(({ name, sha256 }, at) => name === expected[at]?.name && sha256 === expected[at]?.sha256)
  if (isSame) return
  throw new InputError('changed', 'the files are no longer those that were audited; expected no change while they are cleaned; try again')
}

async function cleanFile(
  { roles, name }: InputFile,
  source: ByteSource,
  { choice, files, replaced }: CleanFilesOptions & Pick<InputFiles, 'replaced'>,
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
      const wanted = labelKeys(role, files.labelColumn)
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
      const columns = { labels: files.labelColumn, activations: files.activationsColumn }
      // loaded when it is needed: it takes all decompressors with it
      if (format === 'parquet') return (await import('./clean-parquet.js')).cleanParquetBundle(source, { choice, replaced, columns })
      return cleanBundle(source, { name, choice, replaced, columns })
    }
    default:
      return whole(wholeSource(source, where))
  }
}
