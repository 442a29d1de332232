import type { ByteSource } from '../io/byte-source.js'
import { readShort } from '../io/byte-window.js'

/** What a zip archive says of a member in one of the two places in which it does. */
export interface ZipRecord {
  readonly name: string
  readonly flags: number
  readonly method: number
  readonly crc: number
  readonly packedBytes: number
  readonly bytes: number
}

export interface ZipMember extends ZipRecord {
  /** Of the local header. */
  readonly start: number
  /** What the local header says; null where there is none. */
  readonly local: ZipRecord | null
  /** Of the packed data. */
  readonly dataStart: number
}

export interface ZipListing {
  readonly members: readonly ZipMember[]
  /** Half-open ranges that neither the directory nor a member it lists accounts for. */
  readonly gaps: readonly { readonly start: number; readonly end: number }[]
  /** Members that begin before the one in front ends. */
  readonly overlapping: readonly ZipMember[]
  /** Why the archive cannot be listed to its end; null where it can. */
  readonly problem: string | null
}

const endRecordBytes = 22
const maxTail = endRecordBytes + 0xffff
const maxDirectoryBytes = 2 ** 26
export const maxZipMembers = 2 ** 17

/** Where the end record of a zip archive is, looked for from behind, as readers do; -1: it is none. */
export async function findZipEnd(source: ByteSource): Promise<number> {
  const start = Math.max(0, source.byteLength - maxTail)
  const tail = await readShort(source, start, source.byteLength)
  for (let at = tail.length - endRecordBytes; at >= 0; at--) {
    if (tail[at] === 0x50 && tail[at + 1] === 0x4b && tail[at + 2] === 5 && tail[at + 3] === 6) return start + at
  }
  return -1
}

/**
 * Lists a zip archive as a lenient reader would, so that what stops a strict one can be reported: every record of the directory beside the
 * local header that it points at, and the bytes that nobody lists. Reads the directory and the headers, no data.
 */
export async function listZip(source: ByteSource, endAt: number): Promise<ZipListing> {
  const end = view(await readShort(source, endAt, endAt + endRecordBytes))
  let [count, size, start] = [end.getUint16(10, true), end.getUint32(12, true), end.getUint32(16, true)]
  const used = [{ start: endAt, end: Math.min(source.byteLength, endAt + endRecordBytes + end.getUint16(20, true)) }]
  let directoryEnd = endAt
  if (endAt >= 20) {
    const locator = view(await readShort(source, endAt - 20, endAt))
    if (locator.getUint32(0, true) === 0x07064b50) {
      const at = Number(locator.getBigUint64(8, true))
      const wide = at + 56 <= endAt ? view(await readShort(source, at, at + 56)) : null
      if (wide?.getUint32(0, true) !== 0x06064b50) return broken('its 64-bit end record is not where it is said to be')
      count = Number(wide.getBigUint64(32, true))
      size = Number(wide.getBigUint64(40, true))
      start = Number(wide.getBigUint64(48, true))
      used.push({ start: at, end: endAt })
      directoryEnd = at
    }
  }
  if (size > directoryEnd) return broken('its directory is larger than the file')
  if (size > maxDirectoryBytes || count > maxZipMembers) return broken(`its directory of ${size} bytes lists ${count} members`)
  // readers allow for bytes in front of the archive: offsets count from where the directory shows it to begin
  const shift = directoryEnd - size - start
  if (shift < 0) return broken('its directory begins behind its end')
  const directory = await readShort(source, start + shift, start + shift + size)
  used.push({ start: start + shift, end: start + shift + size })
  const members: ZipMember[] = []
  let at = 0
  for (let index = 0; index < count; index++) {
    const record = at + 46 <= directory.length ? view(directory.subarray(at)) : null
    if (record?.getUint32(0, true) !== 0x02014b50)
      return { ...broken(`its directory breaks off after ${index} of ${count} members`), members }
    const [nameBytes, extraBytes, commentBytes] = [record.getUint16(28, true), record.getUint16(30, true), record.getUint16(32, true)]
    const extra = directory.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes)
    const [bytes, packedBytes, offset] = wideSizes(extra, [
      record.getUint32(24, true),
      record.getUint32(20, true),
      record.getUint32(42, true),
    ])
    const listed = {
      name: decodeName(directory.subarray(at + 46, at + 46 + nameBytes)),
      flags: record.getUint16(8, true),
      method: record.getUint16(10, true),
      crc: record.getUint32(16, true),
      packedBytes: packedBytes as number,
      bytes: bytes as number,
    }
    members.push({ ...listed, ...(await readLocal(source, (offset as number) + shift)) })
    at += 46 + nameBytes + extraBytes + commentBytes
  }
  const problem = at === directory.length ? null : `its directory has ${directory.length - at} bytes too many`
  return { members, ...(await compareRanges(source, members, used)), problem }
}

function broken(problem: string): ZipListing {
  return { members: [], gaps: [], overlapping: [], problem }
}

async function readLocal(source: ByteSource, start: number): Promise<Pick<ZipMember, 'start' | 'local' | 'dataStart'>> {
  const none = { start, local: null, dataStart: start }
  if (!(start >= 0 && start + 30 <= source.byteLength)) return none
  const header = await readShort(source, start, start + 30 + 512)
  const record = view(header)
  if (record.getUint32(0, true) !== 0x04034b50) return none
  const [nameBytes, extraBytes] = [record.getUint16(26, true), record.getUint16(28, true)]
  const dataStart = start + 30 + nameBytes + extraBytes
  const whole = dataStart - start <= header.length ? header : await readShort(source, start, dataStart)
  const [bytes, packedBytes] = wideSizes(whole.subarray(30 + nameBytes, 30 + nameBytes + extraBytes), [
    record.getUint32(22, true),
    record.getUint32(18, true),
  ])
  const local = {
    name: decodeName(whole.subarray(30, 30 + nameBytes)),
    flags: record.getUint16(6, true),
    method: record.getUint16(8, true),
    crc: record.getUint32(14, true),
    packedBytes: packedBytes as number,
    bytes: bytes as number,
  }
  return { start, local, dataStart }
}

/** Of these fields in turn, those that are all ones are in the zip64 extra field. */
function wideSizes(extra: Uint8Array, fields: readonly number[]): number[] {
  const record = view(extra)
  for (let at = 0; at + 4 <= extra.length; at += 4 + record.getUint16(at + 2, true)) {
    if (record.getUint16(at, true) !== 1) continue
    let value = at + 4
    return fields.map((field) => {
      if (field !== 0xffffffff || value + 8 > extra.length) return field
      value += 8
      return Number(record.getBigUint64(value - 8, true))
    })
  }
  return [...fields]
}

/** Behind the data of a member whose sizes were not known when it was written: signature, CRC and two sizes. */
const maxDescriptorBytes = 24

async function compareRanges(source: ByteSource, members: readonly ZipMember[], used: { start: number; end: number }[]) {
  const ranges = [
    ...used.map((range) => ({ ...range, member: null as ZipMember | null })),
    ...members.map((member) => ({ start: member.start, end: member.dataStart + member.packedBytes, member })),
  ]
    .map(({ start, end, member }) => ({ start: clip(start, source), end: clip(end, source), member }))
    .sort((a, b) => a.start - b.start || a.end - b.end)
  const gaps: { start: number; end: number }[] = []
  const overlapping: ZipMember[] = []
  let at = 0
  let described = false
  for (const { start, end, member } of ranges) {
    if (start > at && !(described && start - at <= maxDescriptorBytes && start - at >= 12)) gaps.push({ start: at, end: start })
    if (start < at && member) overlapping.push(member)
    if (end >= at) described = ((member?.local?.flags ?? 0) & 8) !== 0
    at = Math.max(at, end)
  }
  if (at < source.byteLength) gaps.push({ start: at, end: source.byteLength })
  return { gaps, overlapping }
}

/** What a header says may lie behind the end of the file. */
function clip(at: number, { byteLength }: ByteSource): number {
  return Math.max(0, Math.min(at, byteLength))
}

function decodeName(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
