import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { readShort, subSource } from '../io/byte-window.js'
import { type FileScan, memberName } from './file-scan.js'
import { linkStaysInside, staysInside } from './member-path.js'

const blockBytes = 512
const latin1 = new TextDecoder('latin1')
const utf8 = new TextDecoder()

/** Whether a block is the header of a member: its checksum is right. */
export function isTarHeader(block: Uint8Array): boolean {
  if (block.length < blockBytes) return false
  const stated = octal(block.subarray(148, 156))
  let sum = 8 * 32
  for (let at = 0; at < blockBytes; at++) if (at < 148 || at >= 156) sum += block[at] as number
  return stated === sum && sum > 8 * 32
}

/** Scans every member of a tar archive (POSIX, GNU and pax; the older form of `torch.save` among them) by its content. */
export async function scanTar(source: ByteSource, scan: FileScan): Promise<void> {
  const { findings } = scan
  let longName: string | null = null
  let longLink: string | null = null
  for (let at = 0; at < source.byteLength; ) {
    scan.signal?.throwIfAborted()
    const header = await readShort(source, at, at + blockBytes)
    if (header.every((byte) => byte === 0)) return
    if (!isTarHeader(header)) {
      findings.add('archive-broken', source.name, at, 'the tar archive has no header here, where a member or its end was due')
      return
    }
    if (--scan.budget.members < 0) {
      findings.add('archive-bomb', source.name, at, 'archives within archives have more members than are looked at')
      return
    }
    const size = octal(header.subarray(124, 136))
    const start = at + blockBytes
    if (!(size >= 0) || start + size > source.byteLength) {
      findings.add('archive-broken', source.name, at, `a member of ${size} bytes is longer than the archive`)
      return
    }
    const type = String.fromCharCode(header[156] as number)
    at = start + Math.ceil(size / blockBytes) * blockBytes
    if (type === 'L' || type === 'K') {
      const text = field(await readShort(source, start, start + Math.min(size, 4096)))
      if (type === 'L') longName = text
      else longLink = text
      continue
    }
    if (type === 'x' || type === 'g') {
      const pax = utf8.decode(await readShort(source, start, start + Math.min(size, 65536)))
      longName = /\d+ path=(.*)\n/.exec(pax)?.[1] ?? longName
      longLink = /\d+ linkpath=(.*)\n/.exec(pax)?.[1] ?? longLink
      continue
    }
    const prefix = latin1.decode(header.subarray(257, 262)) === 'ustar' ? field(header.subarray(345, 500)) : ''
    const name: string = longName ?? (prefix === '' ? field(header.subarray(0, 100)) : `${prefix}/${field(header.subarray(0, 100))}`)
    const link: string = longLink ?? field(header.subarray(157, 257))
    longName = null
    longLink = null
    const shown = showText(name, 200)
    if (!staysInside(name))
      findings.add('archive-path', source.name, start - blockBytes, `member '${shown}' would be unpacked outside its folder`)
    const isLink = type === '1' || type === '2'
    if (isLink && !(type === '2' ? linkStaysInside(name, link) : staysInside(link))) {
      findings.add(
        'archive-link',
        source.name,
        start - blockBytes,
        `link '${shown}' leads to '${showText(link, 200)}', outside the archive's folder`,
      )
    } else if ('3467'.includes(type) && type !== '7') {
      findings.add('archive-link', source.name, start - blockBytes, `member '${shown}' is a device or a pipe`)
    }
    if (!isLink && size > 0) await scan.inside(subSource(source, memberName(source.name, name), start, start + size))
  }
}

function field(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** Octal digits, or, where the first bit is set, a big-endian number. */
function octal(bytes: Uint8Array): number {
  if ((bytes[0] as number) & 0x80) return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, 0)
  const text = latin1
    .decode(bytes)
    .replace(/[\0 ]+/g, ' ')
    .trim()
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : text === '' ? 0 : Number.NaN
}
