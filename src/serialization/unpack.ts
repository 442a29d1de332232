import { Gunzip, Inflate, Unzlib } from 'fflate'
import type { ByteSource } from '../io/byte-source.js'
import type { NativeCodecs } from './native-codecs.js'
import { type PackedRange, type Unpacked, unpackedOf } from './unpacked.js'

/** How it is unpacked. */
interface Unpacking {
  readonly signal: AbortSignal | undefined
  readonly native: NativeCodecs | null
}

/** Deflate turns a byte into at most 1,032, so that a step overshoots by no more than 8 MB. */
const stepBytes = 2 ** 13
/** As long as a stored block, and some. */
const maxIdleSteps = 12

/** Whether a format can be unpacked here. */
export function canUnpack(format: PackedRange['format'], { native }: Pick<Unpacking, 'native'>): boolean {
  return format !== 'zstd' || (native?.formats.has(format) ?? false)
}

/** Longer than a stored block can be: what completes one that is cut off, whose beginning would not come out otherwise. */
const filler = new Uint8Array(70_000)

/** What is smaller takes the platform longer to begin with than to unpack here. */
const worthNative = 2 ** 16

/**
 * Unpacks a stretch of a source into memory: no more than `limit` bytes, and where it is damaged, what comes before that. Zstandard only where
 * the platform does (`canUnpack`).
 */
export async function unpack(source: ByteSource, range: PackedRange, limit: number, { signal, native }: Unpacking): Promise<Unpacked> {
  const { start, end, format } = range
  if (format === 'lz4') return unpackLz4(await source.slice(start, Math.min(end, start + limit)), limit)
  if (native?.formats.has(format) && (format === 'zstd' || Math.min(end - start, limit) >= worthNative)) {
    const unpacked = await native.unpack(source, range, limit, signal)
    if (unpacked.problem !== 'damaged' || format === 'zstd') return unpacked
  }
  const unpacked = await inflate(source, range, { limit, signal, fill: false })
  return unpacked.problem === 'damaged' ? inflate(source, range, { limit, signal, fill: true }) : unpacked
}

interface InflateOptions {
  readonly limit: number
  readonly signal: AbortSignal | undefined
  /** Whether it is known to be damaged, and the last block is to be filled up. */
  readonly fill: boolean
}

async function inflate(source: ByteSource, { start, end, format }: PackedRange, options: InflateOptions): Promise<Unpacked> {
  const { limit, signal, fill } = options
  const chunks: Uint8Array[] = []
  let total = 0
  let idle = 0
  const take = (chunk: Uint8Array) => {
    idle = chunk.length > 0 ? 0 : idle + 1
    total += chunk.length
    chunks.push(chunk)
  }
  const stream = format === 'deflate' ? new Inflate(take) : format === 'gzip' ? new Gunzip(take) : new Unzlib(take)
  let problem: Unpacked['problem'] = start === end || fill ? 'damaged' : null
  for (let at = start; at < end; at += stepBytes) {
    if ((at - start) % 2 ** 20 === 0) signal?.throwIfAborted()
    const last = at + stepBytes >= end
    // a copy: the decoder may keep it
    const block = (await source.slice(at, Math.min(end, at + stepBytes))).slice()
    try {
      stream.push(block, last && !fill)
      if (last && fill) stream.push(filler, false)
    } catch {
      problem = 'damaged'
      break
    }
    if (total > limit) {
      problem = 'too-large'
      break
    }
    // what follows the end of a stream would be kept and copied at every step
    if (idle > maxIdleSteps && !last) break
  }
  return unpackedOf(chunks, limit, problem)
}

/** Frames of LZ4 (its frame format 1.6): blocks that may refer to those before. */
function unpackLz4(packed: Uint8Array, limit: number): Unpacked {
  const out: Output = { bytes: new Uint8Array(Math.min(limit, 4 * packed.length + 64)), length: 0, limit }
  const record = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const done = (problem: Unpacked['problem']): Unpacked => unpackedOf([out.bytes.subarray(0, out.length)], out.limit, problem)
  let at = 0
  while (at + 7 <= packed.length && record.getUint32(at, true) === 0x184d2204) {
    const flags = packed[at + 4] as number
    at += 7 + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0)
    for (;;) {
      if (at + 4 > packed.length) return done('damaged')
      const word = record.getUint32(at, true)
      at += 4
      if (word === 0) break
      const size = word & 0x7fffffff
      if (at + size > packed.length) return done('damaged')
      const block = packed.subarray(at, at + size)
      const problem = word >>> 31 ? append(out, block) : unpackLz4Block(block, out)
      if (problem) return done(problem)
      at += size + (flags & 16 ? 4 : 0)
    }
    if (flags & 4) at += 4
  }
  return done(at === 0 ? 'damaged' : null)
}

interface Output {
  bytes: Uint8Array
  length: number
  readonly limit: number
}

function append(out: Output, block: Uint8Array): Unpacked['problem'] {
  if (!makeRoom(out, block.length)) return 'too-large'
  out.bytes.set(block, out.length)
  out.length += block.length
  return null
}

function makeRoom(out: Output, count: number): boolean {
  if (out.length + count > out.limit) return false
  if (out.length + count > out.bytes.length) {
    const larger = new Uint8Array(Math.min(out.limit, Math.max(out.length + count, 2 * out.bytes.length)))
    larger.set(out.bytes.subarray(0, out.length))
    out.bytes = larger
  }
  return true
}

function unpackLz4Block(block: Uint8Array, out: Output): Unpacked['problem'] {
  let at = 0
  const extended = (nibble: number): number => {
    let length = nibble
    for (let byte = nibble === 15 ? 255 : 0; byte === 255; ) {
      byte = block[at++] ?? Number.NaN
      length += byte
    }
    return length
  }
  while (at < block.length) {
    const token = block[at++] as number
    const literals = extended(token >> 4)
    if (!(at + literals <= block.length)) return 'damaged'
    const problem = append(out, block.subarray(at, at + literals))
    if (problem) return problem
    at += literals
    if (at === block.length) return null
    if (at + 2 > block.length) return 'damaged'
    const distance = (block[at] as number) | ((block[at + 1] as number) << 8)
    at += 2
    const length = 4 + extended(token & 15)
    if (distance === 0 || distance > out.length || Number.isNaN(length)) return 'damaged'
    if (!makeRoom(out, length)) return 'too-large'
    for (let i = 0; i < length; i++, out.length++) out.bytes[out.length] = out.bytes[out.length - distance] as number
  }
  return null
}
