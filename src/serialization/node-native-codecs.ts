import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import type { ByteSource } from '../io/byte-source.js'
import { crc32 } from '../io/crc32.js'
import type { NativeCodecs, NativeFormat } from './native-codecs.js'
import { type PackedRange, type Unpacked, unpackedOf } from './unpacked.js'

const stepBytes = 2 ** 18
const options = { chunkSize: 2 ** 18 }

/** Node's own zlib; Zstandard since Node 22.15, checksums since 22.2. */
export const nodeCodecs: NativeCodecs = {
  formats: new Set<NativeFormat>(['deflate', 'gzip', 'zlib', ...('createZstdDecompress' in zlib ? (['zstd'] as const) : [])]),
  unpack,
  crc32: 'crc32' in zlib ? zlib.crc32 : crc32,
}

async function unpack(source: ByteSource, range: PackedRange, limit: number, signal: AbortSignal | undefined): Promise<Unpacked> {
  let failure: unknown = null
  const packed = async function* () {
    try {
      for (let at = range.start; at < range.end; at += stepBytes) yield await source.slice(at, Math.min(range.end, at + stepBytes))
    } catch (error) {
      failure = error
      throw error
    }
  }
  const stream = streamOf(range.format as NativeFormat)
  const fed = pipeline(packed, stream)
  fed.catch(() => {}) // the stream fails with it, and is read below
  const chunks: Uint8Array[] = []
  let total = 0
  let problem: Unpacked['problem'] = range.start === range.end ? 'damaged' : null
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      signal?.throwIfAborted()
      chunks.push(chunk)
      total += chunk.length
      if (total > limit) break
    }
  } catch {
    problem = 'damaged'
  }
  signal?.throwIfAborted()
  if (failure !== null) throw failure
  if (total > limit) problem = 'too-large'
  return unpackedOf(chunks, limit, problem)
}

function streamOf(format: NativeFormat): Transform {
  switch (format) {
    case 'deflate':
      return zlib.createInflateRaw(options)
    case 'zlib':
      return zlib.createInflate(options)
    case 'gzip':
      return zlib.createGunzip(options)
    case 'zstd':
      return zlib.createZstdDecompress(options)
  }
}
