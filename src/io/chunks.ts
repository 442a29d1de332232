import { type ByteSource, readBytes } from './byte-source.js'

/** Bytes that are made while they are written: as often as asked, the same each time. */
export interface ByteStream {
  read(): AsyncIterable<Uint8Array>
}

/** Bytes whose number is known before they are made. */
export interface Chunks extends ByteStream {
  readonly byteLength: number
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
  return sourceRange(source, { start: 0, end: source.byteLength }, where)
}

/** The bytes `start` … `end − 1` of a source. */
export function sourceRange(source: ByteSource, { start, end }: { readonly start: number; readonly end: number }, where: string): Chunks {
  return {
    byteLength: end - start,
    async *read() {
      for (let at = start; at < end; at += chunkBytes) yield await readBytes(source, at, Math.min(at + chunkBytes, end), where)
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
