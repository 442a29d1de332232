/** What src/wasm/ exports: pointers are byte offsets into its memory. What each does stands there. */
export interface WasmExports {
  readonly memory: WebAssembly.Memory
  centre(x: number, rows: number, cols: number, mean: number): void
  nonFinite(x: number, count: number): number
  addColumns(x: number, rows: number, cols: number, sums: number): void
  products(a: number, rows: number, b: number, others: number, cols: number, out: number, stride: number): void
  toSingles(totals: number, count: number, out: number): void
  pack(x: number, rows: number, cols: number, mean: number, panels: number, size: number): void
  gramSix(panels: number, rows: number, column: number, count: number, six: number, totals: number): void
  sixProducts(sixes: number, groups: number, panels: number, count: number, cols: number, out: number, stride: number): void
  panelProducts(a: number, panels: number, rows: number, count: number, totals: number): void
  symmetric(totals: number, stride: number, n: number, out: number): void
  assignRows(
    x: number,
    rows: number,
    width: number,
    directions: number,
    clusters: number,
    most: number,
    nearest: number,
    totals: number,
  ): void
  lengthen(points: number, count: number, dims: number, out: number, width: number, whole: number): void
  byColumns(x: number, dims: number, rowAt: number, first: number, count: number, out: number, stride: number): void
  doubleProducts(a: number, rows: number, b: number, others: number, stride: number, out: number, outStride: number): void
  combine(c: number, count: number, m: number, cStride: number, basis: number, stride: number, out: number, sign: number): void
  widen(x: number, rows: number, n: number, stride: number, out: number): void
  widenLower(x: number, n: number, stride: number, out: number): void
  normalise(x: number, stride: number): number
  topPairsRoom(n: number, stride: number): number
  topPairs(a: number, n: number, stride: number, wanted: number, values: number, vectors: number, room: number): void
  halfSquares(panels: number, count: number, cols: number, out: number): void
  packEights(x: number, rows: number, cols: number, panels: number): void
  packSixes(x: number, rows: number, cols: number, sixes: number): void
  nearest(
    row: number,
    references: number,
    cols: number,
    count: number,
    distances: number,
    halves: number,
    exactHalves: number,
    own: number,
    limit: number,
    largest: number,
    k: number,
    indices: number,
    zone: number,
    exact: number,
    wide: number,
  ): number
  sketchRows(x: number, rows: number, cols: number, targets: number, width: number, sums: number, out: number): void
  distanceSums(
    rows: number,
    cols: number,
    count: number,
    dims: number,
    stride: number,
    rowMasks: number,
    lastMask: number,
    rowSums: number,
    colSums: number,
  ): void
}

const pageBytes = 2 ** 16
/** Places begin at cache lines. */
const alignment = 64

/**
 * One thread's instance of the module and its memory: a few MiB into which blocks of rows are copied, since the data lie outside.
 */
export class Engine {
  readonly wasm: WasmExports
  #f32 = new Float32Array(0)
  #f64 = new Float64Array(0)

  constructor(instance: WebAssembly.Instance) {
    this.wasm = instance.exports as unknown as WasmExports
  }

  get f32(): Float32Array {
    return this.#f32
  }

  /** Offsets of places of so many bytes, for one piece of work; what they hold at first is left over. Views are good until the next call. */
  place(...byteLengths: number[]): number[] {
    let end = alignment
    const offsets = byteLengths.map((bytes) => {
      const at = end
      end += Math.ceil(bytes / alignment) * alignment
      return at
    })
    const { memory } = this.wasm
    const missing = end - memory.buffer.byteLength
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes))
    if (this.#f32.buffer !== memory.buffer) {
      this.#f32 = new Float32Array(memory.buffer)
      this.#f64 = new Float64Array(memory.buffer)
    }
    return offsets
  }

  /** `count` float64 values at offset `at`: a view. */
  doubles(at: number, count: number): Float64Array {
    return this.#f64.subarray(at / 8, at / 8 + count)
  }

  /** Copies float32 values to offset `at`. */
  put(at: number, values: ArrayLike<number>): void {
    this.#f32.set(values, at / 4)
  }

  /** Copies int32 values to offset `at`. */
  putIntegers(at: number, values: Int32Array): void {
    new Int32Array(this.#f32.buffer, at, values.length).set(values)
  }

  /** `count` float32 values at offset `at`: a view. */
  view(at: number, count: number): Float32Array {
    return this.#f32.subarray(at / 4, at / 4 + count)
  }

  /** Zeros `count` float32 values from offset `at` on. */
  clear(at: number, count: number): void {
    this.#f32.fill(0, at / 4, at / 4 + count)
  }
}
