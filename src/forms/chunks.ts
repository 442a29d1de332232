import type { HostMatrix } from '../core/backend.js'

/** Consecutive rows of one class. */
export interface Chunk {
  readonly class_: number
  readonly start: number
  readonly end: number
}

export interface Chunks {
  readonly chunks: readonly Chunk[]
  /** classes + 1: each class's first chunk. */
  readonly first: readonly number[]
  /** Classes of more than one chunk: their chunks are added up in a second phase. */
  readonly split: readonly number[]
  /** For each chunk, which one of the chunks of such classes it is; −1 where it is its class's only one. */
  readonly slot: readonly number[]
  readonly slots: number
}

/** Pieces that a class is cut into at least, as long as a piece keeps about `least` rows. */
const fewestPieces = 8

/**
 * Cuts the rows that `tiles` cover, class by class, into chunks of at most `most` rows: fewer where the class has few, so that threads have something to share. They are alike and
 * of an even number, so that two threads, or four, end together.
 * How a class is cut, and so the bits of its sums, hangs on its own rows alone, not on the classes that come with it.
 */
export function chunksOf(tiles: HostMatrix, classes: number, { least, most }: { least: number; most: number }): Chunks {
  const { data } = tiles
  const chunks: Chunk[] = []
  const first = [0]
  let at = 0
  for (let c = 0; c < classes; c++) {
    while (at < data.length && data[at] === c) {
      const start = data[at + 1] as number
      let end = start
      while (at < data.length && data[at] === c) {
        end = (data[at + 1] as number) + (data[at + 2] as number)
        at += 4
      }
      const rows = end - start
      const pieces = Math.ceil(rows / Math.min(most, Math.max(least, rows / fewestPieces)))
      const even = pieces === 1 ? 1 : pieces + (pieces & 1)
      const size = Math.ceil(rows / even / 4) * 4
      for (let from = start; from < end; from += size) chunks.push({ class_: c, start: from, end: Math.min(from + size, end) })
    }
    first.push(chunks.length)
  }
  const split = Array.from({ length: classes }, (_, c) => c).filter((c) => (first[c + 1] as number) - (first[c] as number) > 1)
  let slots = 0
  const slot = chunks.map(({ class_ }) => ((first[class_ + 1] as number) - (first[class_] as number) > 1 ? slots++ : -1))
  return { chunks, first, split, slot, slots }
}

/** Rows of a piece of work that does a little to each value: 256 KiB of them. */
export const rowsPerPiece = (cols: number) => Math.max(1, Math.floor(2 ** 16 / cols))

const known = new WeakMap<object, Map<string, unknown>>()

/** `make()` at the first call for an array of a run, the same value afterwards: what every piece of it needs. */
export function once<T>(of: object, key: string, make: () => T): T {
  const own = known.get(of) ?? new Map<string, unknown>()
  known.set(of, own)
  if (!own.has(key)) own.set(key, make())
  return own.get(key) as T
}
