import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import { innerProduct } from './inner-product.js'
import type { Rows } from './moments.js'

/** Values of rows, and multiply-adds, that are taken at a time: 2 MiB, and some milliseconds. */
const valuesAtOnce = 2 ** 18
const operationsAtOnce = 2 ** 24

/** row · direction for every row. */
export function projections({ data, cols }: Rows, direction: Float64Array): Float64Array {
  const n = data.length / cols
  const out = new Float64Array(n)
  const engine = doubleEngine()
  if (!engine) {
    for (let i = 0; i < n; i++) out[i] = innerProduct(data, i * cols, direction, 0, cols)
    return out
  }
  const perBlock = Math.ceil(valuesAtOnce / cols)
  for (let first = 0; first < n; first += perBlock) {
    const rows = data.subarray(first * cols, Math.min(first + perBlock, n) * cols)
    const [at, along, to] = engine.enter(rows, direction, (rows.length / cols) * 8) as [number, number, number]
    engine.loops.project(at, rows.length / cols, cols, along, to)
    out.set(engine.view(to, rows.length / cols), first)
  }
  return out
}

/** What rows are projected on. */
interface Directions {
  /** Taken off the rows first. */
  readonly mean: Float64Array
  /** `[width, stride]`, stride ≥ the rows' columns. */
  readonly directions: Float64Array
  readonly stride: number
}

/** (row − mean) · direction of every row and direction: `[n, width]`; yields now and then. */
export function* placesAlong({ data, cols }: Rows, along: Directions): Generator<void, Float64Array, void> {
  const n = data.length / cols
  const width = along.directions.length / along.stride
  const out = new Float64Array(n * width)
  const perBlock = Math.ceil(Math.min(valuesAtOnce / cols, operationsAtOnce / (cols * width)))
  for (let first = 0; first < n; first += perBlock) {
    const end = Math.min(first + perBlock, n)
    const block = { data: data.subarray(first * cols, end * cols), cols }
    ;(doubleEngine() ? inWebAssembly : plain)(block, along, out.subarray(first * width, end * width))
    if (end < n) yield
  }
  return out
}

function plain({ data, cols }: Rows, { mean, directions, stride }: Directions, out: Float64Array): void {
  const width = directions.length / stride
  const centred = new Float64Array(cols)
  for (let at = 0, to = 0; at < data.length; at += cols) {
    for (let j = 0; j < cols; j++) centred[j] = (data[at + j] as number) - (mean[j] as number)
    for (let k = 0; k < width; k++) out[to++] = innerProduct(centred, 0, directions, k * stride, cols)
  }
}

/** By src/wasm/inner-product.ts. */
function inWebAssembly({ data, cols }: Rows, { mean, directions, stride }: Directions, out: Float64Array): void {
  const engine = doubleEngine() as DoubleEngine
  const width = directions.length / stride
  const [rows, middle, along, to, room] = engine.enter(data, mean, directions, out.byteLength, cols * 8) as [
    number,
    number,
    number,
    number,
    number,
  ]
  engine.loops.projectRows(rows, data.length / cols, cols, middle, along, width, stride, to, room)
  out.set(engine.view(to, out.length))
}
