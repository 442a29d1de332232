import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from './byte-source.js'

/** A member of a zip archive, as the central directory describes it. */
export interface ZipEntry {
  /** A relative path with `/`, without `..`, unique in the archive. */
  readonly name: string
  readonly method: 'stored' | 'deflate'
  readonly crc: number
  readonly compressedBytes: number
  readonly uncompressedBytes: number
  /** Where the member's local header begins. */
  readonly headerStart: number
  /** Where whatever comes next begins: header and data have to end before it. */
  readonly limit: number
}

const endRecordBytes = 22
const maxCommentBytes = 65535
const maxDirectoryBytes = 16 * 2 ** 20

/**
 * Reads the central directory of a zip archive, zip64 included (PKWARE APPNOTE 6.3, sections 4.3–4.5). Folders are left out.
 *
 * Throws `InputError`: `bad-zip` where the records do not fit together or members overlap, `too-large` for a directory of more than
 * 16 MiB, `encrypted`, `unsupported-compression`, `unsafe-name` for absolute paths and `..`, `duplicate-name`.
 */
export async function readZipDirectory(archive: ByteSource, where: string): Promise<ZipEntry[]> {
  const { count, start, end } = await findDirectory(archive, where)
  const bytes = await readBytes(archive, start, end, where)
  const view = new DataView(bytes.buffer)
  const entries: ZipEntry[] = []
  const names = new Set<string>()
  let at = 0
  for (let index = 0; index < count; index++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50)
      throw badZip(where, `its directory breaks off at member ${index}`)
    const flags = view.getUint16(at + 8, true)
    const nameEnd = at + 46 + view.getUint16(at + 28, true)
    const extraEnd = nameEnd + view.getUint16(at + 30, true)
    const next = extraEnd + view.getUint16(at + 32, true)
    if (next > bytes.length) throw badZip(where, `its directory breaks off at member ${index}`)
    const name = readName(bytes.subarray(at + 46, nameEnd), where)
    if (names.has(name)) {
      throw new InputError('duplicate-name', `${where}: has two members named '${showText(name)}', expected one; write the archive again`)
    }
    names.add(name)
    if (!name.endsWith('/')) {
      const label = `${where}: member '${showText(name)}'`
      if (flags & 0x2041) throw new InputError('encrypted', `${label} is encrypted; write the archive without a password`)
      entries.push({
        name,
        method: readMethod(view.getUint16(at + 10, true), label),
        crc: view.getUint32(at + 16, true),
        ...readSizes(view, at, nameEnd, extraEnd, label),
        limit: start,
      })
    }
    at = next
  }
  if (at !== bytes.length) throw badZip(where, 'its directory is longer than its members')
  return setLimits(entries, where)
}

/** Members must not share bytes: overlapping ones are how a small archive unfolds without end. */
function setLimits(entries: readonly ZipEntry[], where: string): ZipEntry[] {
  const sorted = [...entries].sort((a, b) => a.headerStart - b.headerStart)
  return sorted.map((entry, index) => {
    const limit = sorted[index + 1]?.headerStart ?? entry.limit
    const least = entry.headerStart + 30 + entry.compressedBytes
    if (least > limit) throw badZip(where, `member '${showText(entry.name)}' reaches into what follows it`)
    return { ...entry, limit }
  })
}

function readMethod(method: number, label: string): ZipEntry['method'] {
  if (method === 0) return 'stored'
  if (method === 8) return 'deflate'
  throw new InputError('unsupported-compression', `${label} is compressed by method ${method}, expected stored or deflate`, { method })
}

function readName(bytes: Uint8Array, where: string): string {
  let name: string
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new InputError('unsafe-name', `${where}: has a member whose name is not UTF-8`, {}, cause)
  }
  const parts = name.split(/[/\\]/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  if (name === '' || parts[0] === '' || parts.includes('..') || /^[A-Za-z]:|[\0-\x1f]/.test(name)) {
    throw new InputError('unsafe-name', `${where}: has a member named '${showText(name)}', expected a relative path inside the archive`)
  }
  return name
}

/** Sizes and offset, from the zip64 extra field where the 32-bit ones are all ones. */
function readSizes(view: DataView, at: number, nameEnd: number, extraEnd: number, label: string) {
  const fields = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)]
  if (fields.includes(0xffffffff)) {
    let extra = nameEnd
    while (extra + 4 <= extraEnd && view.getUint16(extra, true) !== 1) extra += 4 + view.getUint16(extra + 2, true)
    const end = extra + 4 <= extraEnd ? Math.min(extraEnd, extra + 4 + view.getUint16(extra + 2, true)) : extra
    let value = extra + 4
    for (let field = 0; field < fields.length; field++) {
      if (fields[field] !== 0xffffffff) continue
      if (value + 8 > end) throw badZip(label, 'its zip64 sizes are missing')
      fields[field] = readUint64(view, value, label)
      value += 8
    }
  }
  const [uncompressedBytes, compressedBytes, headerStart] = fields as [number, number, number]
  return { uncompressedBytes, compressedBytes, headerStart }
}

async function findDirectory(archive: ByteSource, where: string) {
  const { byteLength } = archive
  const tailStart = Math.max(0, byteLength - endRecordBytes - maxCommentBytes)
  const tail = await readBytes(archive, tailStart, byteLength, where)
  const view = new DataView(tail.buffer)
  let at = tail.length - endRecordBytes
  // the comment behind the record has to reach the end of the file, so that no second record can hide in it
  while (at >= 0 && !(view.getUint32(at, true) === 0x06054b50 && at + endRecordBytes + view.getUint16(at + 20, true) === tail.length)) at--
  if (at < 0) throw badZip(where, 'it has no end record; it may be cut off')
  const disks = [view.getUint16(at + 4, true), view.getUint16(at + 6, true)]
  const zip64 = at >= 20 && view.getUint32(at - 20, true) === 0x07064b50
  let [count, size, start, end] = [
    view.getUint16(at + 10, true),
    view.getUint32(at + 12, true),
    view.getUint32(at + 16, true),
    tailStart + at,
  ]
  if (zip64) {
    end = readUint64(view, at - 12, where)
    if (end + 56 > tailStart + at - 20) throw badZip(where, 'its zip64 end record is out of place')
    const record = await readBytes(archive, end, end + 56, where)
    const wide = new DataView(record.buffer)
    if (wide.getUint32(0, true) !== 0x06064b50) throw badZip(where, 'its zip64 end record is missing')
    disks.push(wide.getUint32(16, true), wide.getUint32(20, true))
    count = readUint64(wide, 32, where)
    size = readUint64(wide, 40, where)
    start = readUint64(wide, 48, where)
  }
  if (disks.some((disk) => disk !== 0 && !(zip64 && disk === 0xffff))) throw badZip(where, 'it is one part of several')
  if (start + size !== end) throw badZip(where, 'its directory is not where the end record says')
  if (size > maxDirectoryBytes || count * 46 > size) {
    throw new InputError('too-large', `${where}: declares ${count} members in a directory of ${size} bytes`, { count, size })
  }
  return { count, start, end }
}

function readUint64(view: DataView, at: number, where: string): number {
  const value = Number(view.getBigUint64(at, true))
  if (!Number.isSafeInteger(value)) throw badZip(where, 'a 64-bit size is out of range')
  return value
}

export function badZip(where: string, what: string): InputError {
  return new InputError('bad-zip', `${where}: is not a sound zip archive: ${what}; write it again`)
}
