import { InputError } from '../core/errors.js'
import type { ByteStream } from '../io/chunks.js'
import type { AuditFiles } from '../io/node-open-audit.js'
import { rootOf } from '../io/node-root-digest.js'
import { type VerifiedSource, verifiedSource } from '../io/node-verified-source.js'
import type { LeftOut } from './clean-bundle.js'
import { cleanFile } from './clean-file.js'
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
  const columns = { labels: options.files.labelColumn, activations: options.files.activationsColumn }
  const files: CleanedFile[] = []
  const leftOut = [...inputs.leftOut]
  for (const { file, source } of opened) {
    const cleaned = await cleanFile(file, source, { choice: options.choice, columns, replaced: inputs.replaced })
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
