import { toActivationSet } from '../../src/core/activation-set.js'
import type { Context, Tolerance } from '../../src/core/backend.js'
import { DeviceSet } from '../../src/core/device-set.js'
import type { Matrix } from '../../src/core/matrix.js'
import { Rng } from '../../src/core/rng.js'
import { expectAllClose } from './allclose.js'
import { type Blocking, blockings } from './blockings.js'

/** A random set to run a kernel on: rows of each class, features, and how far the mean lies from 0. */
export interface ParityShape {
  readonly name: string
  readonly rows: readonly number[]
  readonly features: number
  readonly offset?: number
}

/** Sizes at which tiled kernels go wrong: tiny, one beyond a tile or a workgroup, ragged classes, a mean much larger than the spread. */
export const parityShapes: readonly ParityShape[] = [
  { name: '1 × 1', rows: [1], features: 1 },
  { name: 'one row of many features', rows: [1], features: 37 },
  { name: 'one feature', rows: [130], features: 1 },
  { name: 'one row a class', rows: [1, 1, 1], features: 5 },
  { name: 'just past a workgroup', rows: [65], features: 65 },
  { name: 'past the largest row tile', rows: [513], features: 9 },
  { name: 'no multiple of anything', rows: [1, 7, 37, 64, 65, 129, 300], features: 61 },
  { name: 'mean far above the spread', rows: [70, 90], features: 12, offset: 1000 },
]

export function randomInput({ rows, features, offset = 0 }: ParityShape, seed = 1) {
  const rng = new Rng(seed)
  const labels = rows.flatMap((count, c) => new Array<number>(count).fill(c))
  // Rows of the classes in turn, so that putting them in class order is not the identity.
  const shuffled = labels.map((label) => ({ label, key: rng.float() })).sort((a, b) => a.key - b.key)
  const data = Float32Array.from({ length: labels.length * features }, (_, i) => offset + rng.normal() * (1 + (i % features) / 8))
  return { activations: { data, rows: labels.length, cols: features }, labels: shuffled.map(({ label }) => label) }
}

export const uploadRandom = (context: Context, shape: ParityShape, blocking: Blocking = blockings[0] as Blocking) => {
  const rows = shape.rows.reduce((sum, count) => sum + count, 0)
  return DeviceSet.upload(blocking.of(context, rows, Math.ceil(shape.features / 4) * 4), toActivationSet(randomInput(shape)))
}

/** Every shape in every blocking. */
export const parityCases = blockings.flatMap((blocking) =>
  parityShapes.map((shape) => ({ shape, blocking, name: `${shape.name}, ${blocking.name}` })),
)

/** Fails unless |a − b| ≤ atol · max|b| + rtol · |b| throughout: the kernel's own tolerance. */
export function expectParity(kernel: { readonly tolerance: Tolerance }, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  let scale = 0
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i] as number))
  expectAllClose(Float64Array.from(actual), Float64Array.from(expected), {
    atol: kernel.tolerance.atol * scale,
    rtol: kernel.tolerance.rtol,
  })
}

/** The set's rows of each class as float64, as they were given (not shifted). */
export function rowsByClass({ set }: DeviceSet): number[][][] {
  const { data, cols } = set.activations.inMemory as Matrix
  return set.classes.map((_, c) =>
    Array.from(set.order.subarray(set.starts[c], set.starts[c + 1]), (row) => Array.from(data.subarray(row * cols, (row + 1) * cols))),
  )
}

export const columnMeans = (rows: readonly number[][]): number[] =>
  (rows[0] as number[]).map((_, j) => rows.reduce((sum, row) => sum + (row[j] as number), 0) / rows.length)

export const centred = (rows: readonly number[][]): number[][] => {
  const mean = columnMeans(rows)
  return rows.map((row) => row.map((value, j) => value - (mean[j] as number)))
}
