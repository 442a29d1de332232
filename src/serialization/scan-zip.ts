import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { readShort, subSource } from '../io/byte-window.js'
import { crc32 } from '../io/crc32.js'
import { chunkedSource } from './chunked-source.js'
import { beginsWith } from './file-kind.js'
import { type FileScan, memberName } from './file-scan.js'
import { staysInside } from './member-path.js'
import { isNumericNpy, npyMagic } from './scan-npy.js'
import { scanPacked } from './scan-packed.js'
import { scanForPickles, scanPickle } from './scan-pickle.js'
import { scanTorchScriptCode } from './scan-torchscript.js'
import { canUnpack, unpack } from './unpack.js'
import type { PackedRange } from './unpacked.js'
import { listZip, type ZipMember, type ZipRecord } from './zip-walk.js'

/** Members up to this size are read as a whole and their checksum is looked at; of larger stored ones only what their scanner reads. */
const checkedBytes = 2 ** 24
/** Of a packed tensor, which begins as a pickle or does not. */
const tensorSample = 2 ** 16
const npyHead = 2 ** 14
/** Deflate cannot do better. */
const maxRatio = 1040
/** How members are packed, by their method. (APPNOTE 4.4.5) */
const packedBy: Readonly<Record<number, PackedRange['format']>> = { 8: 'deflate', 93: 'zstd' }

/**
 * Scans a zip archive: what its directory and its headers say of each member, the bytes that nobody lists, and every member by its content,
 * whatever flags and checksums are there to stop a reader. The tensors of a PyTorch archive are looked at by their first bytes only.
 */
export async function scanZip(source: ByteSource, endAt: number, scan: FileScan): Promise<void> {
  const { findings } = scan
  const { members, gaps, overlapping, problem } = await listZip(source, endAt)
  if (problem) findings.add('archive-broken', source.name, endAt, `the zip archive cannot be listed: ${problem}`)
  for (const member of overlapping) {
    findings.add('archive-mismatch', source.name, member.start, `member '${showText(member.name)}' overlaps the one in front of it`)
  }
  await scanGaps(source, gaps, scan)
  const names = new Set<string>()
  const torchScript =
    members.some(({ name }) => /(?:^|\/)code\/.*\.py$/.test(name)) && members.some(({ name }) => /(?:^|\/)constants\.pkl$/.test(name))
  if (torchScript) findings.add('torchscript-code', source.name, null, 'the archive holds TorchScript code')
  for (const member of members) {
    scan.signal?.throwIfAborted()
    if (--scan.budget.members < 0) {
      findings.add('archive-bomb', source.name, null, 'archives within archives have more members than are looked at')
      return
    }
    if (names.has(member.name))
      findings.add('archive-mismatch', source.name, member.start, `member '${showText(member.name)}' is there twice`)
    names.add(member.name)
    checkRecords(source, member, scan)
    if (!member.name.endsWith('/') || member.packedBytes > 0) await scanMember(source, member, scan, torchScript)
  }
}

async function scanGaps(source: ByteSource, gaps: readonly { start: number; end: number }[], scan: FileScan): Promise<void> {
  for (const gap of gaps) {
    const size = gap.end - gap.start
    const first = await readShort(source, gap.start, Math.min(gap.end, gap.start + 4096))
    if (size <= first.length && first.every((byte) => byte === 0)) continue
    const where = gap.start === 0 ? 'in front of the archive' : gap.end === source.byteLength ? 'behind the archive' : 'between its members'
    scan.findings.add('archive-hidden', source.name, gap.start, `${size} bytes ${where} are listed nowhere`)
    const inGap = subSource(source, `${source.name}!/bytes@${gap.start}`, gap.start, gap.end)
    if (gap.start === 0 && (await scanPickle(inGap, scan, { expected: false }))) continue
    await scanForPickles(inGap, { start: 0, end: size }, scan)
  }
}

/** Sizes and checksum may be left to a record behind the data. */
const deferred = 8
/** Encrypted, patched, strongly encrypted, with a masked header. */
const unreadable = 1 | 0x20 | 0x40 | 0x2000

function checkRecords(source: ByteSource, member: ZipMember, { findings }: FileScan): void {
  const { name, local, start } = member
  const shown = showText(name, 200)
  if (!staysInside(name)) findings.add('archive-path', source.name, start, `member '${shown}' would be unpacked outside its folder`)
  if (!local) {
    findings.add('archive-mismatch', source.name, start, `member '${shown}' is in the directory, but there is no header where it should be`)
    return
  }
  if (local.name !== name) {
    findings.add(
      'archive-mismatch',
      source.name,
      start,
      `a member is '${shown}' in the directory and '${showText(local.name, 200)}' in its own header`,
    )
    if (!staysInside(local.name))
      findings.add('archive-path', source.name, start, `member '${showText(local.name, 200)}' would be unpacked outside its folder`)
  }
  const compared: (keyof ZipRecord)[] = local.flags & deferred && local.bytes === 0 ? ['method'] : ['method', 'crc', 'packedBytes', 'bytes']
  const differing = compared.filter((key) => local[key] !== member[key])
  if ((local.flags & unreadable) !== (member.flags & unreadable)) differing.push('flags')
  if (differing.length > 0) {
    const words = differing.map(
      (key) => ({ name: 'name', flags: 'flags', method: 'method', crc: 'checksum', packedBytes: 'packed size', bytes: 'size' })[key],
    )
    findings.add('archive-mismatch', source.name, start, `the directory and the header of member '${shown}' differ in ${words.join(', ')}`)
  }
}

async function scanMember(source: ByteSource, member: ZipMember, scan: FileScan, torchScript: boolean): Promise<void> {
  const name = memberName(source.name, member.name)
  const [start, end] = [member.dataStart, member.dataStart + member.packedBytes]
  if (!member.local || end > source.byteLength) {
    if (member.local) scan.findings.add('archive-broken', name, null, `it ends at byte ${end}, behind the end of the archive`)
    return
  }
  if (member.method !== 93 && member.bytes > maxRatio * member.packedBytes + 64) {
    scan.findings.add('archive-bomb', name, null, `it says that ${member.packedBytes} bytes unpack to ${member.bytes}`)
  }
  const flagged = ((member.flags | member.local.flags) & unreadable) !== 0
  const { method } = member.local.method === 0 || member.method === 8 ? member : member.local
  const packed = packedBy[method]
  if (method !== 0 && !(packed && canUnpack(packed, scan))) {
    scan.findings.add(flagged ? 'archive-encrypted' : 'archive-unread', name, null, `it is compressed by method ${method}`)
    return
  }
  const chunks = packed
    ? await scanPackedMember(source, { start, end, format: packed }, name, scan)
    : await scanStored(source, { start, end, name }, scan, torchScript)
  const checksum = scan.native?.crc32 ?? crc32
  const sound = chunks === null ? null : chunks.reduce((before, chunk) => checksum(chunk, before), 0) === member.crc
  if (flagged && sound) {
    scan.findings.add('archive-mismatch', name, null, 'it says that it is encrypted, and is not: loaders that do not look read it')
  } else if (flagged) {
    scan.findings.add('archive-encrypted', name, null, 'it says that it is encrypted')
  } else if (sound === false) {
    scan.findings.add('archive-checksum', name, null, 'its bytes have another CRC-32 than the archive says')
  }
}

interface Stretch {
  readonly start: number
  readonly end: number
  readonly name: string
}

/** The bytes, where they were read as a whole. */
async function scanStored(
  source: ByteSource,
  { start, end, name }: Stretch,
  scan: FileScan,
  torchScript: boolean,
): Promise<readonly Uint8Array[] | null> {
  const inner = subSource(source, name, start, end)
  if (isTensor(name)) await scanPickle(inner, scan, { expected: false })
  else if (torchScript && /\/code\/[^!]*\.py$/.test(name)) await scanTorchScriptCode(inner, scan)
  else if (torchScript && /\/code\/[^!]*\.debug_pkl$/.test(name)) return null
  else if (torchScript && name.endsWith('.pkl')) await scanPickle(inner, scan, { expected: true, torchScript })
  else await scan.inside(inner)
  return !isTensor(name) && end - start <= checkedBytes ? [await readShort(source, start, end)] : null
}

/** The data of a tensor in an archive of PyTorch. */
function isTensor(name: string): boolean {
  return /!\/(?:[^!]*\/)?(?:data|constants|tensors)\/\d+$/.test(name)
}

async function scanPackedMember(
  source: ByteSource,
  range: PackedRange,
  name: string,
  scan: FileScan,
): Promise<readonly Uint8Array[] | null> {
  if (isTensor(name)) {
    const { chunks } = await unpack(source, range, tensorSample, scan)
    await scanPickle(chunkedSource(name, chunks), scan, { expected: false })
    return null
  }
  // of an array of numbers, its header is all there is to scan
  const head = chunkedSource(name, (await unpack(source, range, npyHead, scan)).chunks)
  if (beginsWith(await readShort(head, 0, npyMagic.length), npyMagic) && (await isNumericNpy(head))) return null
  return scanPacked(source, range, name, scan)
}
