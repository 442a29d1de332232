import { Inflate } from 'fflate'
import { InputError } from '../core/errors.js'
import { allocateBytes, type ByteSource, readBytes } from './byte-source.js'

/** Deflate turns one byte into at most 1,032, so that each step can overshoot by no more than 16.5 MB. */
const stepBytes = 16 * 2 ** 10
const blockBytes = 64 * stepBytes
/** The longest stretch of a stream that yields nothing: a stored block of 64 KiB that is not there as a whole yet. */
const maxIdleSteps = 5

/**
 * Inflates the raw deflate stream in `start` … `end − 1` of `source` into a buffer of exactly `byteLength` bytes, and stops as soon
 * as there is one byte too many, or nothing more comes out while compressed bytes are left. Throws `InputError` `bad-zip` where the
 * stream is damaged, or is longer or shorter than that.
 */
export async function inflateMember(
  source: ByteSource,
  range: { readonly start: number; readonly end: number; readonly byteLength: number },
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { start, end, byteLength } = range
  const out = allocateBytes(byteLength, where)
  let filled = 0
  let idleSteps = 0
  const inflate = new Inflate((chunk) => {
    if (filled + chunk.length > byteLength) throw sizeError(where, byteLength, 'more')
    idleSteps = chunk.length > 0 ? 0 : idleSteps + 1
    out.set(chunk, filled)
    filled += chunk.length
  })
  for (let at = start; at < end; ) {
    const block = await readBytes(source, at, Math.min(at + blockBytes, end), where)
    for (let step = 0; step < block.length; step += stepBytes) {
      const last = at + step + stepBytes >= end
      try {
        inflate.push(block.subarray(step, step + stepBytes), last)
      } catch (cause) {
        if (cause instanceof InputError) throw cause
        throw new InputError('bad-zip', `${where}: its compressed data is damaged; write the archive again`, {}, cause)
      }
      // fflate keeps all that follows the end of the stream, and copies it at every step
      if (idleSteps > maxIdleSteps && !last) {
        throw new InputError('bad-zip', `${where}: its compressed data ends before its compressed size; write the archive again`)
      }
    }
    at += block.length
  }
  if (filled !== byteLength) throw sizeError(where, byteLength, 'less')
  return out
}

function sizeError(where: string, byteLength: number, got: string): InputError {
  return new InputError('bad-zip', `${where}: unpacks to ${got} than the ${byteLength} bytes it declares; write the archive again`)
}
