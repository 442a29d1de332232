/**
 * The loops of src/wasm/ that work on the host takes, most in float64: pointers are byte offsets into its memory. What each does stands there. None of
 * them fuses a multiply-add, and each sums in the order of its twin in linalg/, so bits hang neither on the machine nor on whether there is
 * WebAssembly.
 */
export interface DoubleLoops {
  readonly memory: WebAssembly.Memory
  nonFinite(x: number, count: number): number
  centre(x: number, rows: number, cols: number, mean: number): void
  powerSums(rows: number, n: number, cols: number, scaled: number, sums: number): void
  bandDeviations(scaled: number, n: number, cols: number, limits: number, roots: number, out: number): void
  sumMarked(rows: number, count: number, cols: number, marks: number, value: number, sums: number): number
  addScatter(
    rows: number,
    count: number,
    cols: number,
    marks: number,
    value: number,
    mean: number,
    room: number,
    stride: number,
    totals: number,
  ): void
  project(rows: number, count: number, cols: number, direction: number, out: number): void
  projectRows(
    rows: number,
    count: number,
    cols: number,
    mean: number,
    directions: number,
    width: number,
    stride: number,
    out: number,
    room: number,
  ): void
  factor(a: number, n: number, room: number): number
  clearUpper(a: number, n: number): void
  solveRows(
    rows: number,
    count: number,
    n: number,
    mean: number,
    factor: number,
    out: number,
    stride: number,
    lengths: number,
    room: number,
  ): void
  topPairsRoom(n: number, stride: number): number
  topPairs(a: number, n: number, stride: number, wanted: number, values: number, vectors: number, room: number): void
  minimaxRoom(n: number, groups: number): number
  minimax(
    apart: number,
    n: number,
    covariances: number,
    groups: number,
    steps: number,
    weights: number,
    direction: number,
    best: number,
    room: number,
  ): number
  exchangeGains(
    points: number,
    rows: number,
    dims: number,
    centres: number,
    clusters: number,
    sizes: number,
    from: number,
    gains: number,
    margins: number,
  ): void
  assignPoints(points: number, rows: number, dims: number, centres: number, clusters: number, to: number, sums: number): number
  addDistances(points: number, rows: number, dims: number, centres: number, from: number, sum: number): number
  weightedSums(y: number, n: number, stride: number, posterior: number, sums: number): number
  expectAndSum(
    y: number,
    n: number,
    stride: number,
    direction: number,
    offset: number,
    posterior: number,
    sums: number,
    moved: number,
  ): number
  evaluate(
    y: number,
    n: number,
    stride: number,
    delta: number,
    inverse: number,
    offset: number,
    norms: number,
    a: number,
    b: number,
    c: number,
    d: number,
    logOdds: number,
    products: number,
  ): number
}

/** What loops read. */
type Values = Float64Array | Float32Array | Uint8Array

const pageBytes = 2 ** 16
/** Places begin at cache lines. */
const alignment = 64
/** Bytes of arrays that stay from call to call, and of the largest one of them. */
const mostKept = 2 ** 25
const largestKept = 2 ** 24

const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment

/** One thread's instance of the module for float64 work on the host. Its memory holds copies: what is to stay, then what one call works on. */
export class DoubleEngine {
  readonly loops: DoubleLoops
  #bytes = new Uint8Array(0)
  #doubles = new Float64Array(0)
  /** Where each array that is to stay lies, since which time everything was cleared away; −1 where it has not been copied yet. */
  readonly #kept = new WeakMap<ArrayBufferLike, { at: number; age: number }>()
  #age = 0
  #keptEnd = alignment

  constructor(instance: WebAssembly.Instance) {
    this.loops = instance.exports as unknown as DoubleLoops
  }

  /** Copies these values once for all calls that take them or parts of them: they must not change any more. */
  keep({ buffer, byteLength }: Values): void {
    if (byteLength <= largestKept && byteLength === buffer.byteLength && !this.#kept.has(buffer))
      this.#kept.set(buffer, { at: -1, age: -1 })
  }

  /**
   * Places for one call: arrays are copied there, numbers are bytes of room, which holds what is left over. A loop must not write to an array
   * that may be one that stays. Places and views are good until the next call of this.
   */
  enter(...inputs: readonly (Values | number)[]): number[] {
    this.#copyKept(inputs)
    let end = this.#keptEnd
    const places = inputs.map((input) => {
      const kept = typeof input === 'number' ? undefined : this.#kept.get(input.buffer)
      if (kept && typeof input !== 'number') return kept.at + input.byteOffset
      const at = end
      end += aligned(typeof input === 'number' ? input : input.byteLength)
      return at
    })
    this.#grow(end)
    inputs.forEach((input, i) => {
      if (typeof input === 'number' || this.#kept.has(input.buffer)) return
      const at = places[i] as number
      if (input instanceof Float64Array) this.#doubles.set(input, at / 8)
      else this.#bytes.set(new Uint8Array(input.buffer, input.byteOffset, input.byteLength), at)
    })
    return places
  }

  /** `count` float64 values from offset `at` on: a view. */
  view(at: number, count: number): Float64Array {
    return this.#doubles.subarray(at / 8, at / 8 + count)
  }

  /** `count` float32 values from there on: a view. */
  singles(at: number, count: number): Float32Array {
    return new Float32Array(this.#bytes.buffer, at, count)
  }

  /** The same bytes. */
  bytes(at: number, count: number): Uint8Array {
    return this.#bytes.subarray(at, at + count)
  }

  /** The same uint32 values. */
  words(at: number, count: number): Uint32Array {
    return new Uint32Array(this.#bytes.buffer, at, count)
  }

  /** `count` float64 values from offset `at` on, in an array of their own. */
  take(at: number, count: number): Float64Array {
    return this.#doubles.slice(at / 8, at / 8 + count)
  }

  /** Clears everything away once where it comes to more than is to stay; `mayClear` is false when that has just been done. */
  #copyKept(inputs: readonly (Values | number)[], mayClear = true): void {
    for (const input of inputs) {
      if (typeof input === 'number') continue
      const kept = this.#kept.get(input.buffer)
      if (!kept || kept.age === this.#age) continue
      const bytes = aligned(input.buffer.byteLength)
      if (mayClear && this.#keptEnd + bytes > mostKept) {
        this.#age++
        this.#keptEnd = alignment
        this.#copyKept(inputs, false)
        return
      }
      kept.at = this.#keptEnd
      kept.age = this.#age
      this.#keptEnd += bytes
      this.#grow(this.#keptEnd)
      this.#bytes.set(new Uint8Array(input.buffer), kept.at)
    }
  }

  #grow(end: number): void {
    const { memory } = this.loops
    const missing = end - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes))
    if (this.#bytes.buffer === memory.buffer) return
    this.#bytes = new Uint8Array(memory.buffer)
    this.#doubles = new Float64Array(memory.buffer)
  }
}

let engine: DoubleEngine | null = null

/** This thread's engine; null where there is no WebAssembly (yet), and the twins do the work. */
export function doubleEngine(): DoubleEngine | null {
  return engine
}

/** From now on this thread works with that engine, or without one. */
export function useDoubleEngine(next: DoubleEngine | null): void {
  engine = next
}
