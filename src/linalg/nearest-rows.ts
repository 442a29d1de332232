import type { HostMatrix, Kernel, Shape } from '../core/backend.js'
import { sampleMatrix } from '../kernels/sample.js'

/** Rows that neighbours are looked for among. */
export interface ReferenceRows {
  /** `[count, cols]` */
  readonly data: Float32Array
  readonly count: number
  readonly cols: number
  /** Which row of the whole set each one is. */
  readonly rowOf: Uint32Array
}

/** Multiply-adds between two yields: a few milliseconds. */
const perTurn = 2 ** 22

/**
 * The `k` reference rows nearest to each of `rows: [n, cols]` by Euclidean distance, nearest first, ties to the lower index; a row is no
 * neighbour of its own. Gives `visit(i, neighbours)` indices into the references, good until the next call, fewer than k where there are
 * fewer. n · count · cols multiply-adds, float64, four rows at a time: each reference value is loaded once for four products.
 */
export function* nearestRows(
  rows: { readonly data: Float32Array; readonly firstRow: number },
  references: ReferenceRows,
  { k, visit }: { readonly k: number; readonly visit: (i: number, neighbours: Uint32Array) => void },
): Generator<void, void, void> {
  const { data: reference, count, cols, rowOf } = references
  const n = rows.data.length / cols
  const halfNorms = new Float64Array(count)
  for (let r = 0; r < count; r++) {
    let sum = 0
    for (let j = 0, at = r * cols; j < cols; j++, at++) sum += (reference[at] as number) ** 2
    halfNorms[r] = sum / 2
  }
  const four = new Float64Array(4 * cols)
  const best = [0, 1, 2, 3].map(() => new Nearest(Math.min(k, count)))
  let done = 0
  for (let first = 0; first < n; first += 4) {
    const here = Math.min(4, n - first)
    four.set(rows.data.subarray(first * cols, (first + here) * cols))
    for (const one of best) one.clear()
    for (let r = 0; r < count; r++) {
      let a = 0
      let b = 0
      let c = 0
      let d = 0
      for (let j = 0, at = r * cols; j < cols; j++, at++) {
        const value = reference[at] as number
        a += value * (four[j] as number)
        b += value * (four[cols + j] as number)
        c += value * (four[2 * cols + j] as number)
        d += value * (four[3 * cols + j] as number)
      }
      // Half the squared distance, less half the row's own square, which is the same for all references.
      const half = halfNorms[r] as number
      const own = (rowOf[r] as number) - rows.firstRow - first
      if (own !== 0) best[0]?.offer(half - a, r)
      if (own !== 1) best[1]?.offer(half - b, r)
      if (own !== 2) best[2]?.offer(half - c, r)
      if (own !== 3) best[3]?.offer(half - d, r)
    }
    for (let i = 0; i < here; i++) visit(first + i, (best[i] as Nearest).indices)
    done += 4 * count * cols
    if (done > perTurn) {
      done = 0
      yield
    }
  }
}

/** The k smallest of the numbers that were offered, sorted. */
class Nearest {
  readonly #distances: Float64Array
  readonly #indices: Uint32Array
  #filled = 0
  #worst = Number.POSITIVE_INFINITY

  constructor(k: number) {
    this.#distances = new Float64Array(k)
    this.#indices = new Uint32Array(k)
  }

  get indices(): Uint32Array {
    return this.#indices.subarray(0, this.#filled)
  }

  clear(): void {
    this.#filled = 0
    this.#worst = Number.POSITIVE_INFINITY
  }

  offer(distance: number, index: number): void {
    if (distance >= this.#worst) return
    const k = this.#distances.length
    let at = this.#filled < k ? this.#filled++ : k - 1
    for (; at > 0 && (this.#distances[at - 1] as number) > distance; at--) {
      this.#distances[at] = this.#distances[at - 1] as number
      this.#indices[at] = this.#indices[at - 1] as number
    }
    this.#distances[at] = distance
    this.#indices[at] = index
    if (this.#filled === k) this.#worst = this.#distances[k - 1] as number
  }
}

export interface NearestParams {
  readonly k: number
}

/**
 * The k references nearest to each row. Inputs: rows `[n, cols]`; each one's own reference `[n, 1]` uint32, which is left out (count: it has
 * none); how far away neighbours may be, `[n, 1]`: half the squared distance less half the row's own square, as float32 has it; references `[count, cols]`; cols a multiple of four. Output `[n, k]`
 * numbers of references, rising, −1 where there are fewer. For backends that compute on the CPU. Tolerance: none; float64 settles which are nearest, ties go to the lower number.
 */
export const nearestRowsKernel: Kernel<NearestParams> = {
  id: 'nearest-rows',
  wasm: 'nearest-rows',
  tolerance: { atol: 0, rtol: 0 },
  plan([rows]: readonly Shape[], { k }) {
    return { output: { rows: (rows as Shape).rows, cols: k, type: 'f32' }, scratch: [], passes: [] }
  },
  *cpu([rows, own, limits, references]: readonly HostMatrix[], { k }, output) {
    const { data, cols } = rows as HostMatrix
    const { data: other } = references as HostMatrix
    output.fill(-1)
    const isNear = (i: number, reference: number) => {
      let half = 0
      for (let j = 0; j < cols; j++) {
        const value = other[reference * cols + j] as number
        half += value * (value / 2 - (data[i * cols + j] as number))
      }
      return half <= ((limits as HostMatrix).data[i] as number)
    }
    const visit = (i: number, neighbours: Uint32Array) => output.set(neighbours.filter((at) => isNear(i, at)).sort(), i * k)
    yield* nearestAmong(rows as HostMatrix, own as HostMatrix, references as HostMatrix, { k, visit })
  },
  sample() {
    const own: HostMatrix = { data: Uint32Array.of(3, 9, 9), rows: 3, cols: 1, type: 'u32' }
    const limits: HostMatrix = {
      data: Float32Array.of(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1),
      rows: 3,
      cols: 1,
      type: 'f32',
    }
    return { inputs: [sampleMatrix(3, 8), own, limits, sampleMatrix(9, 8)], params: { k: 4 } }
  },
}

/** `nearestRows` of matrices, each row's own reference by its number. */
export function nearestAmong(
  rows: HostMatrix,
  own: HostMatrix,
  { data, rows: count, cols }: HostMatrix,
  how: { readonly k: number; readonly visit: (i: number, neighbours: Uint32Array) => void },
): Generator<void, void, void> {
  // Row i is no neighbour of the reference that is told to be its own: that one gets the row's number, the others none of any row.
  const rowOf = new Uint32Array(count).fill(2 ** 32 - 1)
  own.data.forEach((reference, i) => {
    if (reference < count) rowOf[reference] = i
  })
  return nearestRows({ data: rows.data as Float32Array, firstRow: 0 }, { data: data as Float32Array, count, cols, rowOf }, how)
}

/** Rows of `cols` values as kernels take them: with zeros behind them, which change no distance, up to a multiple of four. */
export function widened(data: Float32Array, cols: number): HostMatrix {
  const width = Math.ceil(cols / 4) * 4
  const rows = data.length / cols
  if (width === cols) return { data, rows, cols, type: 'f32' }
  const out = new Float32Array(rows * width)
  for (let i = 0; i < rows; i++) out.set(data.subarray(i * cols, (i + 1) * cols), i * width)
  return { data: out, rows, cols: width, type: 'f32' }
}
