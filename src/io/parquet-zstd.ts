import { decompressZstd } from 'hyparquet-compressors'

const magic = 0xfd2fb528
/** The first of the sixteen magic numbers of frames to be skipped. */
const skippable = 0x184d2a50
const maxBlockBytes = 2 ** 17
/** What the blocks of a frame may come to before they are counted: several times the page, which is cut into blocks of any size. */
const maxBlocksBytes = (size: number) => Math.max(2 ** 26, 8 * size)
/** The decoder moves its whole window at every block of a frame that does not tell its size: some two seconds of that. */
const maxMovedBytes = 2 ** 34

/**
 * The `size` bytes of one Zstandard frame (RFC 8878), with frames to be skipped around it. Throws `Error` where it is damaged, is not one
 * frame, or unpacks to another size.
 *
 * Left to itself the decoder takes the 2 GB for a window that six bytes may ask for, and all that the blocks yield. So a frame that
 * tells its size has to tell this one, and is unpacked into a buffer of it. One that does not gets a window no larger than that, after
 * its blocks were counted.
 */
export function unzstd(packed: Uint8Array, size: number): Uint8Array {
  const { bytes, contentSize, windowAt, blocks, mostBytes } = onlyFrame(packed)
  if (contentSize !== null) {
    if (contentSize !== BigInt(size)) throw new Error(`the frame has ${contentSize} bytes, expected ${size}`)
    return decompressZstd(bytes, new Uint8Array(size))
  }
  const frame = bytes.slice()
  const window = smallestWindow(size)
  if (window.bytes < windowBytes(frame[windowAt] as number)) frame[windowAt] = window.descriptor
  if (mostBytes > maxBlocksBytes(size) || blocks * windowBytes(frame[windowAt] as number) > maxMovedBytes) {
    throw new Error(`the frame has ${blocks} blocks for ${size} bytes`)
  }
  return decompressZstd(frame)
}

interface Frame {
  readonly bytes: Uint8Array
  /** null where the frame does not tell. */
  readonly contentSize: bigint | null
  /** Where its window descriptor is, if it does not tell its size. */
  readonly windowAt: number
  readonly blocks: number
  /** What its blocks come to at most. */
  readonly mostBytes: number
}

/** The one frame with data, found by stepping from block to block. */
function onlyFrame(packed: Uint8Array): Frame {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  let found: Frame | null = null
  for (let at = 0; at < packed.length; ) {
    const start = at
    const kind = view.getUint32(at, true)
    if ((kind & 0xfffffff0) >>> 0 === skippable) at += 8 + view.getUint32(at + 4, true)
    else {
      if (kind !== magic || found) throw new Error(found ? 'there is a second frame' : 'there is no frame')
      const descriptor = view.getUint8(at + 4)
      const singleSegment = (descriptor >> 5) & 1
      const sizeAt = at + 6 - singleSegment + ([0, 1, 2, 4][descriptor & 3] as number)
      const sizeBytes = [singleSegment, 2, 4, 8][descriptor >> 6] as number
      const contentSize = readSize(view, sizeAt, sizeBytes)
      at = sizeAt + sizeBytes
      let blocks = 0
      let mostBytes = 0
      for (let last = false; !last; blocks++) {
        const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
        const type = (header >> 1) & 3
        if (type === 3) throw new Error('a block is of no kind')
        last = (header & 1) === 1
        at += 3 + (type === 1 ? 1 : header >> 3)
        mostBytes += type === 2 ? maxBlockBytes : header >> 3
      }
      at += descriptor & 4 // a checksum
      found = { bytes: packed.subarray(start, at), contentSize, windowAt: 5, blocks, mostBytes }
    }
    if (at > packed.length) throw new Error('a frame breaks off')
  }
  if (!found) throw new Error('there is no frame')
  return found
}

function readSize(view: DataView, at: number, bytes: number): bigint | null {
  if (bytes === 0) return null
  if (bytes === 1) return BigInt(view.getUint8(at))
  if (bytes === 2) return BigInt(view.getUint16(at, true) + 256)
  return bytes === 4 ? BigInt(view.getUint32(at, true)) : view.getBigUint64(at, true)
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}

/** The smallest window that holds `size` bytes. */
function smallestWindow(size: number): { readonly descriptor: number; readonly bytes: number } {
  let descriptor = 0
  while (windowBytes(descriptor) < size) descriptor++
  return { descriptor, bytes: windowBytes(descriptor) }
}
