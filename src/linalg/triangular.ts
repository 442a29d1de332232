import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import type { Rows } from './moments.js'

/** What rows are whitened by. */
export interface Whitening {
  readonly mean: Float64Array
  /** Lower triangular `[cols, cols]`. */
  readonly factor: Float64Array
}

/** Where solved rows go, `stride` apart. */
interface Solved {
  readonly data: Float64Array
  readonly stride: number
}

/** Values of rows, and multiply-adds, that are taken at a time: 2 MiB, and some milliseconds. */
const valuesAtOnce = 2 ** 18
const operationsAtOnce = 2 ** 24

/**
 * L⁻¹·(row − mean) of every row of `rows: [n, cols]`, to `solved` where it is wanted; gives their squared lengths `[n]`. n·cols²/2
 * multiply-adds; yields now and then.
 */
export function* solvedRows({ data, cols }: Rows, whitening: Whitening, solved: Solved | null): Generator<void, Float64Array, void> {
  const n = data.length / cols
  const lengths = new Float64Array(n)
  const perBlock = 8 * Math.ceil(Math.min(valuesAtOnce / cols, operationsAtOnce / cols ** 2) / 8)
  for (let first = 0; first < n; first += perBlock) {
    const end = Math.min(first + perBlock, n)
    const to = solved && { data: solved.data.subarray(first * solved.stride, end * solved.stride), stride: solved.stride }
    const block = { data: data.subarray(first * cols, end * cols), cols }
    ;(doubleEngine() ? inWebAssembly : plain)(block, whitening, { solved: to, lengths: lengths.subarray(first, end) })
    if (end < n) yield
  }
  return lengths
}

interface Results {
  readonly solved: Solved | null
  readonly lengths: Float64Array
}

/** Four rows at a time, so that each entry of L is loaded once for four products. */
function plain({ data, cols }: Rows, { mean, factor }: Whitening, { solved, lengths }: Results): void {
  const n = lengths.length
  const four = [0, 1, 2, 3].map(() => new Float64Array(cols)) as [Float64Array, Float64Array, Float64Array, Float64Array]
  const [a, b, c, d] = four
  for (let i = 0; i < n; i += 4) {
    // The last rows stand in for those that are missing.
    const [first, second, third, fourth] = [i, i + 1, i + 2, i + 3].map((row) => Math.min(row, n - 1) * cols) as [
      number,
      number,
      number,
      number,
    ]
    let sa = 0
    let sb = 0
    let sc = 0
    let sd = 0
    for (let j = 0; j < cols; j++) {
      const middle = mean[j] as number
      let va = (data[first + j] as number) - middle
      let vb = (data[second + j] as number) - middle
      let vc = (data[third + j] as number) - middle
      let vd = (data[fourth + j] as number) - middle
      const row = j * cols
      for (let k = 0; k < j; k++) {
        const l = factor[row + k] as number
        va -= l * (a[k] as number)
        vb -= l * (b[k] as number)
        vc -= l * (c[k] as number)
        vd -= l * (d[k] as number)
      }
      const inverse = 1 / (factor[row + j] as number)
      va *= inverse
      vb *= inverse
      vc *= inverse
      vd *= inverse
      a[j] = va
      b[j] = vb
      c[j] = vc
      d[j] = vd
      sa += va * va
      sb += vb * vb
      sc += vc * vc
      sd += vd * vd
    }
    const here = Math.min(4, n - i)
    lengths.set([sa, sb, sc, sd].slice(0, here), i)
    if (solved) for (let k = 0; k < here; k++) solved.data.set(four[k] as Float64Array, (i + k) * solved.stride)
  }
}

/** By src/wasm/triangular.ts. */
function inWebAssembly({ data, cols }: Rows, { mean, factor }: Whitening, { solved, lengths }: Results): void {
  const engine = doubleEngine() as DoubleEngine
  const outBytes = solved ? lengths.length * solved.stride * 8 : 0
  const [rows, middle, l, out, to, room] = engine.enter(data, mean, factor, outBytes, lengths.byteLength, (cols + 1) * 64) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  engine.loops.solveRows(rows, lengths.length, cols, middle, l, solved ? out : 0, solved?.stride ?? 0, to, room)
  lengths.set(engine.view(to, lengths.length))
  if (!solved) return
  // Only the columns that were solved: what lies between rows is whatever the room held before.
  const values = engine.view(out, outBytes / 8)
  if (solved.stride === cols) solved.data.set(values.subarray(0, lengths.length * cols))
  else for (let at = 0; at < values.length; at += solved.stride) solved.data.set(values.subarray(at, at + cols), at)
}
