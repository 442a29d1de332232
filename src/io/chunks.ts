import { type ByteSource, readBytes } from './byte-source.js'

/** Bytes that are made while they are written: of known length, as often as asked, the same each time. */
export interface Chunks {
  readonly byteLength: number
  read(): AsyncIterable<Uint8Array>
}

/** Large enough that a call costs nothing beside its bytes, small enough that two of them do not matter. */
export const chunkBytes = 8 * 2 ** 20

/** Bytes that lie in memory. */
export function inMemory(bytes: Uint8Array): Chunks {
  return {
    byteLength: bytes.length,
    async *read() {
      yield bytes
    },
  }
}

/** A source from its first byte to its last. */
export function wholeSource(source: ByteSource, where: string): Chunks {
  const { byteLength } = source
  return {
    byteLength,
    async *read() {
      for (let at = 0; at < byteLength; at += chunkBytes) yield await readBytes(source, at, Math.min(at + chunkBytes, byteLength), where)
    },
  }
}

/** One after another. */
export function joined(parts: readonly Chunks[]): Chunks {
  return {
    byteLength: parts.reduce((sum, part) => sum + part.byteLength, 0),
    async *read() {
      for (const part of parts) yield* part.read()
    },
  }
}
