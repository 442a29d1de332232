import { createHash } from 'node:crypto'
import { type ByteSource, checkRange } from './byte-source.js'

/** A source whose bytes are hashed as they are read. */
export interface HashingSource extends ByteSource {
  /** SHA-256 over all bytes, each as it was handed out; what nobody has read yet is read now. */
  digest(): Promise<Uint8Array>
}

/** Longer than any header, so that a format can be recognised and a header read again without touching the file twice. */
const headBytes = 128 * 2 ** 10
const blockBytes = 8 * 2 ** 20

/**
 * Hashes exactly the bytes that the reader sees: each byte is taken from `source` once, so a file that changes in between cannot be
 * parsed as one thing and hashed as another. The first 128 KiB are kept and may be read again; behind them reading only goes forward (what
 * is left out is hashed on the way), anything else throws `RangeError`.
 */
export async function hashingSource(source: ByteSource): Promise<HashingSource> {
  const { name, byteLength } = source
  const hash = createHash('sha256')
  const head = await source.slice(0, Math.min(headBytes, byteLength))
  hash.update(head)
  let position = head.byteLength
  let digest: Uint8Array | null = null

  const next = async (end: number) => {
    const bytes = await source.slice(position, end)
    hash.update(bytes)
    position = end
    return bytes
  }
  const skipTo = async (start: number) => {
    while (position < start) await next(Math.min(position + blockBytes, start))
  }
  return {
    name,
    byteLength,
    async slice(start, end) {
      checkRange(start, end, byteLength)
      if (end <= head.byteLength) return head.subarray(start, end)
      await skipTo(start)
      if (Math.max(start, head.byteLength) !== position) {
        throw new RangeError(`bytes ${start} … ${end} asked for, but reading stands at ${position}`)
      }
      if (start >= head.byteLength) return next(end)
      const joined = new Uint8Array(end - start)
      joined.set(head.subarray(start))
      joined.set(await next(end), head.byteLength - start)
      return joined
    },
    async digest() {
      await skipTo(byteLength)
      digest ??= hash.digest()
      return digest
    },
  }
}
