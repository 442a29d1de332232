/** What a compressed stretch unpacks to, as far as it does. */
export interface Unpacked {
  /** In pieces, one after another. */
  readonly chunks: readonly Uint8Array[]
  readonly byteLength: number
  /** Why there is no more; null where it came to its end. */
  readonly problem: 'too-large' | 'damaged' | null
}

export interface PackedRange {
  readonly start: number
  readonly end: number
  readonly format: 'deflate' | 'gzip' | 'zlib' | 'lz4' | 'zstd'
}

/** What is beyond the limit goes. */
export function unpackedOf(chunks: readonly Uint8Array[], limit: number, problem: Unpacked['problem']): Unpacked {
  const kept: Uint8Array[] = []
  let byteLength = 0
  for (const chunk of chunks) {
    const part = chunk.subarray(0, limit - byteLength)
    if (part.length > 0) kept.push(part)
    byteLength += part.length
  }
  return { chunks: kept, byteLength, problem }
}
