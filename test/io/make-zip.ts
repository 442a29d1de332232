import { deflateSync } from 'fflate'
import { crc32 } from '../../src/io/crc32.js'

export interface Member {
  readonly name: string
  readonly data: Uint8Array
  readonly method?: number
  /** Bytes to store in place of those that `data` is packed to. */
  readonly packed?: Uint8Array
  /** Lies that both headers tell. */
  readonly size?: number | undefined
  readonly crc?: number
  readonly flags?: number
  /** The local header's own idea of the name. */
  readonly localName?: string
  /** Sizes and offset in a zip64 extra field. */
  readonly zip64?: boolean
  /** Points the directory at the local header of the member before. */
  readonly overlap?: boolean
}

/** A zip archive of just these members, lies included. `zip64End` writes the 64-bit end record too. */
export function makeZip(members: readonly Member[], { zip64End = false, count = members.length } = {}): Uint8Array {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let offset = 0
  let lastOffset = 0
  for (const member of members) {
    const { name, data, method = 8, flags = 0, zip64 = false } = member
    const packed = member.packed ?? (method === 8 ? deflateSync(data) : data)
    const [size, crc] = [member.size ?? data.length, member.crc ?? crc32(data)]
    const [localName, centralName] = [text(member.localName ?? name), text(name)]
    const start = member.overlap ? lastOffset : offset
    const local = record(30, (view) => {
      view.setUint32(0, 0x04034b50, true)
      view.setUint16(6, flags, true)
      view.setUint16(8, method, true)
      view.setUint32(14, crc, true)
      view.setUint32(18, packed.length, true)
      view.setUint32(22, size, true)
      view.setUint16(26, localName.length, true)
    })
    const extra = record(zip64 ? 28 : 0, (view) => {
      if (!zip64) return
      view.setUint16(0, 1, true)
      view.setUint16(2, 24, true)
      view.setBigUint64(4, BigInt(size), true)
      view.setBigUint64(12, BigInt(packed.length), true)
      view.setBigUint64(20, BigInt(start), true)
    })
    const central = record(46, (view) => {
      view.setUint32(0, 0x02014b50, true)
      view.setUint16(8, flags, true)
      view.setUint16(10, method, true)
      view.setUint32(16, crc, true)
      view.setUint32(20, zip64 ? 0xffffffff : packed.length, true)
      view.setUint32(24, zip64 ? 0xffffffff : size, true)
      view.setUint16(28, centralName.length, true)
      view.setUint16(30, extra.length, true)
      view.setUint32(42, zip64 ? 0xffffffff : start, true)
    })
    parts.push(local, localName, packed)
    directory.push(central, centralName, extra)
    lastOffset = offset
    offset += local.length + localName.length + packed.length
  }
  const directoryBytes = directory.reduce((sum, { length }) => sum + length, 0)
  const end64 = record(zip64End ? 76 : 0, (view) => {
    if (!zip64End) return
    view.setUint32(0, 0x06064b50, true)
    view.setBigUint64(4, 44n, true)
    view.setBigUint64(24, BigInt(count), true)
    view.setBigUint64(32, BigInt(count), true)
    view.setBigUint64(40, BigInt(directoryBytes), true)
    view.setBigUint64(48, BigInt(offset), true)
    view.setUint32(56, 0x07064b50, true)
    view.setBigUint64(64, BigInt(offset + directoryBytes), true)
    view.setUint32(72, 1, true)
  })
  const end = record(22, (view) => {
    view.setUint32(0, 0x06054b50, true)
    view.setUint16(8, zip64End ? 0xffff : count, true)
    view.setUint16(10, zip64End ? 0xffff : count, true)
    view.setUint32(12, zip64End ? 0xffffffff : directoryBytes, true)
    view.setUint32(16, zip64End ? 0xffffffff : offset, true)
  })
  return concat([...parts, ...directory, end64, end])
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function record(byteLength: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(byteLength)
  fill(new DataView(bytes.buffer))
  return bytes
}
