import { type ByteSource, readBytes } from './byte-source.js'

const windowBytes = 2 ** 20
const firstBytes = 4096

/** A stretch of a source, read front to back: what a parser looks at is in memory, and no more than that. */
export class ByteWindow {
  readonly source: ByteSource
  readonly signal: AbortSignal | undefined
  bytes: Uint8Array = new Uint8Array(0)
  /** Where `bytes` begin in the source. */
  start = 0
  /** What was read so far; bytes that were read twice count twice. */
  bytesRead = 0

  constructor(source: ByteSource, signal?: AbortSignal) {
    this.source = source
    this.signal = signal
  }

  /** Whether the bytes `at` … `at + count − 1`, as far as the source has them, are in the window. */
  holds(at: number, count: number): boolean {
    return at >= this.start && Math.min(at + count, this.source.byteLength) <= this.start + this.bytes.length
  }

  /** Moves the window so that it holds them. */
  async fill(at: number, count: number): Promise<void> {
    if (this.holds(at, count)) return
    this.signal?.throwIfAborted()
    const { byteLength } = this.source
    const from = Math.min(at, byteLength)
    // more and more of what is read on, little of what is jumped to: the next jump may be as far
    const readsOn = from >= this.start && from <= this.start + this.bytes.length
    const wanted = Math.max(count, Math.min(windowBytes, firstBytes + (readsOn ? 2 * this.bytes.length : 0)))
    this.bytes = await this.source.slice(from, Math.min(byteLength, from + wanted))
    this.start = from
    this.bytesRead += this.bytes.length
  }

  /** The first `byte` from `at` on; -1 where there is none. Moves the window. */
  async find(byte: number, from: number): Promise<number> {
    for (let at = from; at < this.source.byteLength; at = this.start + this.bytes.length) {
      await this.fill(at, windowBytes)
      const found = this.bytes.indexOf(byte, at - this.start)
      if (found >= 0) return this.start + found
    }
    return -1
  }
}

/** The bytes `start` … `end − 1`, for short ones. */
export async function readShort(source: ByteSource, start: number, end: number): Promise<Uint8Array> {
  const until = Math.min(end, source.byteLength)
  return start >= until ? new Uint8Array(0) : readBytes(source, start, until, source.name)
}

/** Part of a source as a source of its own. */
export function subSource(source: ByteSource, name: string, start: number, end: number): ByteSource {
  return {
    name,
    byteLength: end - start,
    slice: (from, to) => source.slice(start + from, start + to),
    overlaps: source.overlaps,
    fill: source.fill && ((bytes, from) => source.fill?.(bytes, start + from) as Promise<void>),
  }
}
