import { type ByteSource, fillBytes } from '../io/byte-source.js'
import { bytePairsWasm } from './byte-pairs.gen.js'

/** Pairs of neighbouring bytes that are found in one pass. */
export interface BytePairs {
  /** The least of the second bytes; the others are less than 16 more. */
  readonly base: number
  /** By the second byte less `base`: what the first is folded to; 0 where no pair ends with it. */
  readonly firsts: Uint8Array
  /** First bytes from this one on, up to 0x7f, count as this one. */
  readonly highest: number
}

/**
 * The pairs `[first, second]`: no two of them with the same second byte, and all second bytes within 16 of each other. Bytes from `highest` to
 * 0x7f are the same as a first byte; so are an even one and the next, so that what is found has to be looked at.
 */
export function bytePairs(pairs: readonly (readonly [first: number, second: number])[], highest = 0x7f): BytePairs {
  const base = Math.min(...pairs.map(([, second]) => second))
  const firsts = new Uint8Array(16)
  for (const [first, second] of pairs) firsts[second - base] = fold(first, highest)
  return { base, firsts, highest }
}

/** A byte, taken as signed and no higher than `highest`, with its lowest bit set, so that it is never 0. */
function fold(byte: number, highest: number): number {
  return (Math.min((byte << 24) >> 24, highest) | 1) & 0xff
}

/** Pairs that were found in a stretch of a source. */
export interface FoundPairs {
  /** The stretch, and some bytes in front of it as far as they were searched; valid until the next one is asked for. */
  readonly bytes: Uint8Array
  /** Where `bytes` begin in the source. */
  readonly start: number
  /** Of the pairs, in `bytes`, in ascending order. */
  readonly places: Uint32Array
}

const blockBytes = 2 ** 22
/** Kept of the block before, so that what is around a pair lies in one piece. */
const keptBytes = 128
/** Pairs this near to the end of a block are left to the next one: what is behind them lies there. */
const lateBytes = 32
const mostPlaces = 2 ** 14

/**
 * Finds pairs of neighbouring bytes between `start` and `end`: each once, in order, block by block. Reads every byte once, the next block
 * while the one before is searched.
 */
export async function* findPairs(
  source: ByteSource,
  { start, end }: { readonly start: number; readonly end: number },
  pairs: BytePairs,
  signal?: AbortSignal,
): AsyncGenerator<FoundPairs> {
  const searcher = idle.pop() ?? new Searcher()
  const read = (index: number): Promise<void> => {
    const from = start + index * blockBytes
    const filled = fillBytes(source, searcher.block(index).subarray(0, Math.min(blockBytes, end - from)), from, source.name)
    filled.catch(() => {}) // awaited below, unless the search ends before
    return filled
  }
  let reading = read(0)
  try {
    for (let index = 0, at = start; at < end; index++, at += blockBytes) {
      signal?.throwIfAborted()
      await reading
      const [length, isLast] = [Math.min(blockBytes, end - at), at + blockBytes >= end]
      const kept = index === 0 ? 0 : keptBytes
      const bytes = searcher.joined(index, kept, length)
      if (!isLast) reading = read(index + 1)
      const until = isLast ? bytes.length - 1 : bytes.length - lateBytes
      for (let from = index === 0 ? 0 : kept - lateBytes; from < until; ) {
        const places = searcher.find(bytes, from, until, pairs)
        if (places.length > 0) yield { bytes, start: at - kept, places }
        if (places.length < mostPlaces) break
        from = (places[places.length - 1] as number) + 1
      }
    }
  } finally {
    await reading.catch(() => {})
    idle.push(searcher)
  }
}

/** Those that no search needs now: as many as there were searches at a time. */
const idle: Searcher[] = []

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly findPairs: (at: number, end: number, out: number, most: number, firsts: number, base: number, highest: number) => number
}

/** The first page of memory is the module's own. */
const firstsAt = 65_536
const placesAt = firstsAt + 16
const blocksAt = placesAt + 4 * mostPlaces
const roomBytes = keptBytes + blockBytes
const memoryBytes = blocksAt + 2 * roomBytes

/** Room for two blocks, where a search in WebAssembly (src/wasm/byte-pairs.ts) reaches them, or, where there is none, the one below. */
class Searcher {
  private readonly wasm = instantiate()
  private readonly buffer: ArrayBuffer = this.wasm?.memory.buffer ?? new ArrayBuffer(memoryBytes)
  private readonly places = new Uint32Array(this.buffer, placesAt, mostPlaces)

  /** Where the block of that index goes, one of two by turns. */
  block(index: number): Uint8Array {
    return new Uint8Array(this.buffer, blocksAt + (index % 2) * roomBytes + keptBytes, blockBytes)
  }

  /** The last bytes of the block before, and `length` of this one. */
  joined(index: number, kept: number, length: number): Uint8Array {
    if (kept > 0) {
      const room = new Uint8Array(this.buffer, blocksAt + (index % 2) * roomBytes, kept)
      room.set(this.block(index + 1).subarray(blockBytes - kept))
    }
    return new Uint8Array(this.buffer, blocksAt + (index % 2) * roomBytes + keptBytes - kept, kept + length)
  }

  find(bytes: Uint8Array, from: number, until: number, pairs: BytePairs): Uint32Array {
    const { places, wasm } = this
    if (!wasm) return places.subarray(0, findPairsHere(bytes, { from, until }, pairs, places))
    const { base, firsts, highest } = pairs
    new Uint8Array(this.buffer).set(firsts, firstsAt)
    const at = bytes.byteOffset
    const count = wasm.findPairs(at + from, at + until, placesAt, mostPlaces, firstsAt, base, highest)
    for (let i = 0; i < count; i++) places[i] = (places[i] as number) + from
    return places.subarray(0, count)
  }
}

let compiled: WebAssembly.Module | null | undefined

/** null where WebAssembly, its SIMD or compiling in place is not to be had. */
function instantiate(): Exports | null {
  try {
    compiled ??= new WebAssembly.Module(Uint8Array.from(atob(bytePairsWasm), (character) => character.charCodeAt(0)))
    const exports = new WebAssembly.Instance(compiled, { env: { abort: () => {} } }).exports as unknown as Exports
    exports.memory.grow(Math.ceil((memoryBytes - exports.memory.buffer.byteLength) / 65_536))
    return exports
  } catch {
    return null
  }
}

/** The twin in TypeScript: places from `from` on and before `until`, whose next byte is there too. Returns how many; stops when `places` is full. */
export function findPairsHere(
  bytes: Uint8Array,
  { from, until }: { readonly from: number; readonly until: number },
  { base, firsts, highest }: BytePairs,
  places: Uint32Array,
): number {
  let count = 0
  for (let at = from; at < until && count < places.length; at++) {
    if (firsts[(bytes[at + 1] as number) - base] === fold(bytes[at] as number, highest)) places[count++] = at
  }
  return count
}
