import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, checkRange, readBytes } from './byte-source.js'
import { crc32 } from './crc32.js'
import { inflateMember } from './inflate-member.js'
import { readOnce } from './read-once.js'
import { badZip, readZipDirectory, type ZipEntry } from './zip-directory.js'

/** What the members of an archive may unpack to. */
export interface NpzLimits {
  readonly memberBytes: number
  /** All members together, whether they are read or not. */
  readonly totalBytes: number
  /** Unpacked to packed size. Deflate itself ends at 1,032. */
  readonly ratio: number
}

const defaultLimits: NpzLimits = { memberBytes: 4 * 2 ** 30, totalBytes: 8 * 2 ** 30, ratio: 1100 }

/** What is unpacked for a look at a header: longer than that of any `.npy`. */
const headBytes = 2 ** 17

/**
 * Opens a `.npz` archive: each member under its name without `.npy`. A compressed member is unpacked whole, and its size and CRC-32 are
 * checked, when it is first read (headers can be looked at before); a stored one is read by ranges, and its CRC-32 is checked when it was
 * read to its end from the front. Members that nobody reads cost nothing.
 *
 * Throws `InputError` `zip-bomb` where the sizes that the archive declares are over `limits`, `duplicate-name` where two members have
 * one key, and what `readZipDirectory` throws. A damaged member throws (`bad-zip`, `bad-checksum`) when it is read.
 */
export async function openNpz(source: ByteSource, limits: NpzLimits = defaultLimits): Promise<Map<string, ByteSource>> {
  const where = showText(source.name, 300)
  const members = new Map<string, ByteSource>()
  let total = 0
  for (const entry of await readZipDirectory(source, where)) {
    const { uncompressedBytes, compressedBytes } = entry
    const label = `${where}: member '${showText(entry.name)}'`
    const key = entry.name.replace(/\.npy$/, '')
    if (members.has(key)) {
      throw new InputError('duplicate-name', `${label} has the same key as another one, expected one; write the archive again`)
    }
    if (entry.method === 'stored' && uncompressedBytes !== compressedBytes) throw badZip(label, 'it is stored, but has two sizes')
    total += uncompressedBytes
    const { memberBytes, totalBytes, ratio } = limits
    if (uncompressedBytes > memberBytes || total > totalBytes || uncompressedBytes > ratio * compressedBytes) {
      throw new InputError(
        'zip-bomb',
        `${label} declares ${uncompressedBytes} bytes unpacked from ${compressedBytes}, expected at most ${memberBytes}, ` +
          `${totalBytes} with all members, and ${ratio} : 1; pass large arrays as .npy files`,
        { uncompressedBytes, compressedBytes },
      )
    }
    members.set(key, memberSource(source, entry, label))
  }
  return members
}

function memberSource(archive: ByteSource, entry: ZipEntry, label: string): ByteSource {
  const { uncompressedBytes: byteLength } = entry
  const dataStart = readOnce(() => findData(archive, entry, label))
  const inflate = async (wanted: number) => {
    const start = await dataStart()
    return inflateMember(archive, { start, end: start + entry.compressedBytes, byteLength, wanted, code: 'bad-zip' }, label)
  }
  const head = readOnce(() => inflate(headBytes))
  const whole = readOnce(async () => {
    const bytes = await inflate(byteLength)
    checkCrc(crc32(bytes), entry, label)
    return bytes
  })
  const stored = readOnce(async () => storedSlices(archive, await dataStart(), entry, label))
  return {
    name: `${archive.name}:${entry.name}`,
    byteLength,
    async slice(start, end) {
      checkRange(start, end, byteLength)
      return entry.method === 'stored' ? (await stored())(start, end) : (await whole()).subarray(start, end)
    },
    async head(end) {
      checkRange(0, end, byteLength)
      if (entry.method === 'stored') return (await stored())(0, end)
      return (await (end <= headBytes && headBytes < byteLength ? head() : whole())).subarray(0, end)
    },
  }
}

/** Checks the member's local header; its data begins behind it. */
async function findData(archive: ByteSource, entry: ZipEntry, label: string): Promise<number> {
  const { headerStart, limit, compressedBytes } = entry
  const header = await readBytes(archive, headerStart, headerStart + 30, label)
  const view = new DataView(header.buffer)
  if (view.getUint32(0, true) !== 0x04034b50) throw badZip(label, 'its local header is missing')
  const nameEnd = headerStart + 30 + view.getUint16(26, true)
  const start = nameEnd + view.getUint16(28, true)
  if (start + compressedBytes > limit) throw badZip(label, 'it reaches into what follows it')
  const name = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await archive.slice(headerStart + 30, nameEnd))
  const method = view.getUint16(8, true)
  if (name !== entry.name || method !== (entry.method === 'stored' ? 0 : 8)) throw badZip(label, 'its two headers do not agree')
  return start
}

/** Slices of a stored member; its checksum is known, and checked, as soon as it was read from front to back once, in any steps. */
function storedSlices(archive: ByteSource, dataStart: number, entry: ZipEntry, label: string): ByteSource['slice'] {
  let crc = 0
  let summed = 0
  return async (start, end) => {
    const bytes = await archive.slice(dataStart + start, dataStart + end)
    if (start <= summed && summed <= end) {
      const next = crc32(bytes.subarray(summed - start), crc)
      if (end === entry.uncompressedBytes) checkCrc(next, entry, label)
      crc = next
      summed = end
    }
    return bytes
  }
}

function checkCrc(crc: number, entry: ZipEntry, label: string): void {
  if (crc === entry.crc) return
  const hex = (value: number) => value.toString(16).padStart(8, '0')
  throw new InputError('bad-checksum', `${label} has CRC-32 ${hex(crc)}, expected ${hex(entry.crc)}: it is damaged; copy it again`)
}
