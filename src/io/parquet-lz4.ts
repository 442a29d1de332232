import { decompressLz4Raw } from 'hyparquet-compressors'

/**
 * The `size` bytes of a page under Parquet's old LZ4 codec: either in Hadoop's framing (for each block the length that it unpacks to and its
 * own, as big-endian 32-bit numbers), or, as some writers have it, one plain LZ4 block. Throws `Error` where it is damaged.
 *
 * The library's decoder of that framing takes the lengths as signed numbers, and goes round in circles where one is below 0.
 */
export function unlz4(packed: Uint8Array, size: number): Uint8Array {
  return unframed(packed, size) ?? unlz4Raw(packed, size)
}

/** The `size` bytes of one LZ4 block. Throws `Error` where it is damaged, or unpacks to another size, which the library does not look at. */
export function unlz4Raw(packed: Uint8Array, size: number): Uint8Array {
  if (unpackedLength(packed) !== size) throw new Error('a block has another size')
  return decompressLz4Raw(packed, size)
}

/** What the sequences of a block come to; NaN where they break off. */
function unpackedLength(packed: Uint8Array): number {
  let total = 0
  let at = 0
  const extended = (nibble: number): number => {
    let length = nibble
    for (let more = nibble === 15; more; ) {
      const byte = packed[at++] ?? Number.NaN
      length += byte
      more = byte === 255
    }
    return length
  }
  while (at < packed.length) {
    const token = packed[at++] as number
    const literals = extended(token >> 4)
    at += literals
    total += literals
    if (at === packed.length) break
    at += 2
    if (!(at <= packed.length)) return Number.NaN
    total += 4 + extended(token & 15)
  }
  return total
}

/** null where the bytes are not in that framing. */
function unframed(packed: Uint8Array, size: number): Uint8Array | null {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const out = new Uint8Array(size)
  let filled = 0
  for (let at = 0; at < packed.length; ) {
    if (at + 8 > packed.length) return null
    const unpackedBytes = view.getUint32(at)
    const blockBytes = view.getUint32(at + 4)
    at += 8
    if (blockBytes > packed.length - at || unpackedBytes > size - filled) return null
    try {
      out.set(unlz4Raw(packed.subarray(at, at + blockBytes), unpackedBytes), filled)
    } catch {
      return null
    }
    at += blockBytes
    filled += unpackedBytes
  }
  return filled === size ? out : null
}
