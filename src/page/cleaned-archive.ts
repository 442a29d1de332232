import type { Sha256 } from '../core/digest.js'
import { InputError } from '../core/errors.js'
import { toLabels } from '../core/labels.js'
import { newSha256InJs } from '../core/sha256-in-js.js'
import { showText } from '../core/untrusted-text.js'
import type { AuditInput } from '../io/audit-arrays.js'
import { blobSource } from '../io/blob-source.js'
import { crc32 } from '../io/crc32.js'
import { sniffFormat } from '../io/format.js'
import { writeNpy } from '../io/npy-writer.js'
import { rootDigest } from '../io/root-digest.js'
import { layOutZip, zipDirectory, zipLocalHeader } from '../io/zip-entries.js'
import { renderJson, toJsonText } from '../report/json.js'
import type { Report } from '../report/schema.js'
import type { LeftOut } from '../sanitize/clean-bundle.js'
import { cleanFile, type FileRole } from '../sanitize/clean-file.js'
import { labelRows } from '../sanitize/label-rows.js'
import type { Sanitized } from '../sanitize/sanitize.js'
import type { Role, Selection } from './messages.js'

export interface CleanedParts {
  readonly set: AuditInput
  readonly report: Report
  readonly sanitized: Sanitized
}

/**
 * A zip archive with what `assay sanitize` writes as a folder: every chosen file with the kept rows alone, in its own format and under its
 * own name, `keep.npy` and `drop.npy`, the report and the record. Files are read as they are cleaned, one after another; what was written of
 * them is the browser's to keep, not the page's. Throws `InputError`: `name-clash` where two files have one name, `too-large` for 4 GiB or
 * more, and what the readers throw.
 */
export async function cleanedArchive({ files, columns }: Selection, { set, report, sanitized }: CleanedParts): Promise<Blob> {
  const { keep, drop, relabelled, record } = sanitized
  const choice = { rows: keep.length + drop.length, keep, labelRows: labelRows(toLabels(set.labels, 'labels'), keep, relabelled) }
  const replaced = new Set<string>(Object.keys(files).filter((role) => role !== 'activations'))
  const members: Member[] = []
  const leftOut: LeftOut[] = []
  for (const [key, file] of Object.entries(files) as [Role, File][]) {
    const name = nameOf(file)
    if (members.some((member) => member.name === name) || own.includes(name)) {
      const shown = showText(file.name, 200)
      throw new InputError('name-clash', `${shown}: another file of the archive has that name, expected each once; rename it`)
    }
    const source = blobSource(file, file.name)
    const role: FileRole = key === 'activations' && (await sniffFormat(source)) !== 'npy' ? 'bundle' : key
    const cleaned = await cleanFile({ roles: [role], name }, source, { choice, columns, replaced })
    leftOut.push(...cleaned.leftOut)
    if (cleaned.chunks) members.push(await storedMember(name, cleaned.chunks.read()))
  }
  // As an audit by the command takes the digest of them: pictures and texts are for showing and no part of it.
  const shownOnly = new Set([files.images, files.texts].flatMap((file) => (file ? [nameOf(file)] : [])))
  const audited = members.filter(({ name }) => !shownOnly.has(name))
  const { digest } = rootDigest(audited, newSha256InJs)
  members.push(await storedMember('keep.npy', [writeNpy(keep, [keep.length])]))
  members.push(await storedMember('drop.npy', [writeNpy(drop, [drop.length])]))
  members.push(await storedMember('audit-report.json', [utf8(renderJson(report))]))
  const written = { ...record.output, digest, files: [...rootDigest(members, newSha256InJs).files], leftOut }
  members.push(await storedMember('sanitize-record.json', [utf8(toJsonText({ ...record, output: written }))]))
  const { entries, directoryStart } = layOutZip(members)
  const parts = members.flatMap(({ bytes }, index) => [zipLocalHeader(entries[index] as (typeof entries)[number]), bytes])
  return new Blob([...parts, zipDirectory(entries, directoryStart)], { type: 'application/zip' })
}

/** Names that the archive has for itself. */
const own = ['keep.npy', 'drop.npy', 'audit-report.json', 'sanitize-record.json']

/** The name in the archive: no system is to take a part of it for a folder. */
const nameOf = (file: File) => file.name.replace(/[/\\]/g, '_')

interface Member {
  readonly name: string
  readonly bytes: Blob
  readonly size: number
  readonly crc: number
  readonly digest: Uint8Array
}

const utf8 = (text: string) => new TextEncoder().encode(text)

/** Gathers chunks in blobs as they come, so that the whole never lies in the page's memory. */
async function storedMember(name: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Member> {
  const hash: Sha256 = newSha256InJs()
  const blobs: Blob[] = []
  let crc = 0
  for await (const chunk of chunks) {
    crc = crc32(chunk, crc)
    hash.update(chunk)
    blobs.push(new Blob([chunk as Uint8Array<ArrayBuffer>]))
  }
  const bytes = new Blob(blobs)
  return { name, bytes, size: bytes.size, crc, digest: hash.digest() }
}
