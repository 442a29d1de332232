import { Inflate } from 'fflate'
import { InputError } from '../core/errors.js'
import { allocateBytes, type ByteSource, readBytes } from './byte-source.js'

/** Deflate turns one byte into at most 1,032, so that each step can overshoot by no more than 16.5 MB. */
const stepBytes = 16 * 2 ** 10
const blockBytes = 64 * stepBytes
/** The longest stretch of a stream that yields nothing: a stored block of 64 KiB that is not there as a whole yet. */
const maxIdleSteps = 5

export interface DeflateStream {
  /** Half-open range of the compressed bytes. */
  readonly start: number
  readonly end: number
  /** What they unpack to. */
  readonly byteLength: number
  /** How many bytes from the front are wanted; all by default. */
  readonly wanted?: number
  /** The code of errors: what the stream lies in. */
  readonly code: 'bad-zip' | 'bad-gzip' | 'bad-picture'
}

/**
 * Inflates a raw deflate stream of `source` into a buffer of exactly `byteLength` bytes, and stops as soon as there is one byte too
 * many, or nothing more comes out while compressed bytes are left; or, where less is wanted, as soon as that is there. Throws
 * `InputError` of that code where the stream is damaged, or is longer or shorter than that.
 */
export async function inflateMember(source: ByteSource, stream: DeflateStream, where: string): Promise<Uint8Array<ArrayBuffer>> {
  const { start, end, byteLength, wanted = byteLength, code } = stream
  const out = allocateBytes(wanted, where)
  const fail = (what: string, cause?: unknown) => new InputError(code, `${where}: ${what}; write it again`, {}, cause)
  const wrongSize = (got: string) => fail(`unpacks to ${got} than the ${byteLength} bytes it declares`)
  let filled = 0
  let idleSteps = 0
  const inflate = new Inflate((chunk) => {
    if (filled + chunk.length > byteLength) throw wrongSize('more')
    idleSteps = chunk.length > 0 ? 0 : idleSteps + 1
    if (filled < wanted) out.set(chunk.subarray(0, wanted - filled), filled)
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
        throw fail('its compressed data is damaged', cause)
      }
      if (wanted < byteLength && filled >= wanted) return out
      // fflate keeps all that follows the end of the stream, and copies it at every step
      if (idleSteps > maxIdleSteps && !last) throw fail('its compressed data ends before its compressed size')
    }
    at += block.length
  }
  if (filled !== byteLength) throw wrongSize('less')
  return out
}
