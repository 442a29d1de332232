import { InputError } from '../core/errors.js'
import { type ByteSource, readBytes } from './byte-source.js'
import { crc32 } from './crc32.js'
import { inflateMember } from './inflate-member.js'

/** Unpacked to packed size; deflate itself ends at 1,032. */
const maxRatio = 1100
/** Longer than any header that is not made to be long: an extra field, a name and a comment. */
const maxHeaderBytes = 2 ** 17
const trailerBytes = 8

/**
 * Unpacks a gzip file (RFC 1952) of one member, which is what gzip writes, into memory. What it unpacks to is bounded by what it declares,
 * and that by `maxBytes` and by the file's size, before anything is allocated.
 *
 * Throws `InputError`: `bad-gzip` for what is damaged, cut off, or several members behind each other, `too-large`, `zip-bomb`, `bad-checksum`.
 */
export async function gunzip(source: ByteSource, maxBytes: number, where: string): Promise<Uint8Array<ArrayBuffer>> {
  const start = await findData(source, where)
  const end = source.byteLength - trailerBytes
  const trailer = new DataView((await readBytes(source, end, source.byteLength, where)).buffer)
  const byteLength = trailer.getUint32(4, true)
  if (byteLength > maxBytes) {
    throw new InputError('too-large', `${where}: unpacks to ${byteLength} bytes, expected at most ${maxBytes}; leave it out, or shorten it`)
  }
  if (byteLength > maxRatio * (end - start)) {
    throw new InputError(
      'zip-bomb',
      `${where}: declares ${byteLength} bytes unpacked from ${end - start}, expected at most ${maxRatio} : 1`,
    )
  }
  const bytes = await inflateMember(source, { start, end, byteLength, code: 'bad-gzip' }, where)
  if (crc32(bytes) !== trailer.getUint32(0, true)) {
    throw new InputError('bad-checksum', `${where}: has another CRC-32 than it declares: it is damaged; copy it again`)
  }
  return bytes
}

/** Where the compressed data begins. */
async function findData(source: ByteSource, where: string): Promise<number> {
  const bad = (what: string) => new InputError('bad-gzip', `${where}: is not a sound gzip file: ${what}; write it again`)
  const head = await readBytes(source, 0, Math.min(maxHeaderBytes, source.byteLength), where)
  if (head.length < 10 + trailerBytes) throw bad(`it has ${head.length} bytes`)
  const flags = head[3] as number
  if (head[0] !== 0x1f || head[1] !== 0x8b || head[2] !== 8 || flags & 0xe0) throw bad('its header is of another kind')
  let at = 10
  if (flags & 4) at += 2 + (head[at] ?? 0) + 256 * (head[at + 1] ?? 0)
  // a name and a comment, each up to a 0
  for (const flag of [8, 16]) {
    if (!(flags & flag)) continue
    const zero = head.indexOf(0, at)
    if (zero < 0) throw bad('its header has no end')
    at = zero + 1
  }
  if (flags & 2) at += 2
  if (at > source.byteLength - trailerBytes) throw bad('it ends inside its header')
  return at
}
