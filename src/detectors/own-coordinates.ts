import type { DeviceSet } from '../core/device-set.js'
import { inTurns } from '../core/turns.js'
import type { ProjectedBatch } from '../kernels/project.js'
import { ClassCovariances } from '../linalg/class-covariances.js'
import { factorReference, within } from '../linalg/leave-one-out-eigen.js'
import type { Rows } from '../linalg/moments.js'
import { ownDirections } from '../linalg/own-directions.js'
import { projections } from '../linalg/projections.js'
import { drawSome } from '../stats/draws.js'
import type { FittedRows } from './fitted-rows.js'
import { combinedDirection, placedRows } from './placed-rows.js'

/** Every judged class's rows in the directions along which it varies most compared with the other classes. */
export interface OwnCoordinates {
  /** Directions a class has; 0 where no column varies, as far as float32 can tell. */
  readonly width: number
  /** Class c's rows that are fitted on, in class order, about its mean. */
  rowsOf(c: number): Promise<Rows>
  /**
   * All rows of some classes along a few directions of theirs, `[width]` each: what it returns gives, of a class, `[rows]` a direction. In one
   * pass where rows were drawn, in which `look` is shown every batch, if the backend places the rows.
   */
  along(
    directions: ReadonlyMap<number, readonly Float64Array[]>,
    look?: (batch: ProjectedBatch) => Promise<void>,
  ): Promise<(c: number) => Promise<Float64Array[]>>
  /** Covariances of other classes in class c's directions, and how many rows they have. */
  othersOf(c: number): Readonly<Others>
  /** Class j's mean in class c's directions about class c's mean. */
  meanOf(c: number, j: number): Float64Array
  /** A row as it was given, `[d]`, in class c's directions about its mean. */
  place(c: number, row: ArrayLike<number>): Float64Array
}
export interface OwnCoordinatesOptions {
  /** Directions wanted; cut to the number of live columns. */
  readonly width: number
  /** Rows that a class needs to be part of the reference. */
  readonly referenceRows: number
  /** The rows for which coordinates are wanted. */
  readonly fitted: FittedRows
  /** Classes for which coordinates are wanted. */
  readonly wanted: readonly number[]
}

/** 1e-3 of the mean variance: a direction in which no other class varies does not become infinitely telling. */
const ridge = 1e-3
/** Multiply-adds and bytes that other classes' covariances may cost in all before some of them are left out. */
const othersOperations = 8e9
const othersBytes = 256 * 2 ** 20

/**
 * Coordinates by the generalised eigenproblem own·v = λ·others·v, `others` being the equal-weight mean of the other classes' covariances.
 *
 * Counted, in multiply-adds, for n rows of d columns in K classes and r directions: n·d²/2 for the covariances (on the backend), 4·d³
 * a class for the eigenproblem (less beyond d = 768), n·d·r for the coordinates (on the backend), and K·J·(r·d² + r²·d) for J other classes in every
 * class's directions: with r = 64, 2.9e9 for K = 43 and d = 128, 1.9e9 for K = 10 and d = 512. J is K − 1, but no more than
 * what 8e9 operations and 256 MiB have room for, and at least eight; which ones is drawn by the seed. The mean of all the others is
 * the identity, and is always one of them.
 *
 * Memory on the host, beside 256 MiB for covariances: K·r·d·12 bytes for directions, n·r·4 for coordinates, and a few d×d matrices.
 */
export async function ownCoordinates(set: DeviceSet, options: OwnCoordinatesOptions): Promise<OwnCoordinates> {
  const { signal, rng, progress } = forks(set)
  const covariances = await ClassCovariances.gather(set, options.referenceRows)
  progress(0.15)
  const size = covariances.live.length
  const width = Math.min(options.width, size)
  if (width === 0)
    return {
      width,
      rowsOf: async () => ({ data: new Float64Array(0), cols: 0 }),
      along: async () => async () => [],
      othersOf: () => none,
      meanOf: () => new Float64Array(0),
      place: () => new Float64Array(0),
    }
  const classes = covariances.classes.length
  const reference = await inTurns(factorReference(covariances.mean, { size, classes, ridge }), signal)
  const cols = set.paddedCols
  const directions = new Float32Array(set.set.classes.length * width * cols)
  const vectors = new Map<number, readonly Float64Array[]>()
  const found = await ownDirections(covariances, {
    reference,
    wanted: options.wanted,
    width,
    start: () => rng.fork('start'),
    progress: (done) => progress(0.15 + (0.2 * done) / options.wanted.length),
  })
  for (const [c, own] of found) {
    // As the backend gets them: what the host computes of other classes then belongs to the same directions.
    const rounded = own.map((vector) => Float64Array.from(vector, Math.fround))
    vectors.set(c, rounded)
    rounded.forEach((vector, k) => {
      covariances.live.forEach((column, j) => {
        directions[(c * width + k) * cols + column] = vector[j] as number
      })
    })
  }
  const others = await otherClasses(set, covariances, { vectors, width })
  const { fitted } = options
  const placed = await placedRows(set, directions, { width, fitted })
  progress(0.5)
  const along = (c: number, shifted: ArrayLike<number>) => {
    const mean = placed.meanOf(c)
    return Float64Array.from({ length: width }, (_, k) => {
      let sum = 0
      for (let j = 0, at = (c * width + k) * cols; j < cols; j++, at++) {
        sum += ((shifted[j] as number) - (mean[j] as number)) * (directions[at] as number)
      }
      return sum
    })
  }
  const rowsOf = async (c: number) => ({ data: await placed.coordinatesOf(c), cols: width })
  const placedAlong: OwnCoordinates['along'] = async (wanted, look) => {
    const most = Math.max(1, ...[...wanted.values()].map(({ length }) => length))
    const whole = new Float32Array(set.set.classes.length * most * cols)
    for (const [c, own] of wanted) {
      if (!fitted.positionsOf(c)) continue
      own.forEach((weights, k) => {
        whole.set(combinedDirection(directions, weights, { c, width, cols }), (c * most + k) * cols)
      })
    }
    const all = fitted.drawn.some((c) => wanted.has(c)) ? await placedRows(set, whole, { width: most, look }) : null
    return async (c: number): Promise<Float64Array[]> => {
      const own = wanted.get(c) ?? []
      if (!all || !fitted.positionsOf(c)) {
        const rows = await rowsOf(c)
        return own.map((direction) => projections(rows, direction))
      }
      const values = await all.valuesOf(c)
      return own.map((_, k) => every(values, most, k))
    }
  }
  return {
    width,
    rowsOf,
    along: placedAlong,
    othersOf: (c) => others.get(c) ?? none,
    meanOf: (c, j) => along(c, placed.meanOf(j)),
    place(c, row) {
      const shifted = Float64Array.from({ length: cols }, (_, k) => (k < row.length ? (row[k] as number) - (set.shift[k] as number) : 0))
      return along(c, shifted)
    },
  }
}

function forks({ context }: DeviceSet) {
  return {
    signal: context.signal,
    rng: context.rng.fork('whitened-mixture'),
    progress: (share: number) => context.progress(share),
  }
}

const none: Others = { classes: [], covariances: [], counts: [] }

interface Others {
  /** The classes; the first covariance is that of the reference, the others are theirs, in this order. */
  readonly classes: number[]
  readonly covariances: Float64Array[]
  readonly counts: number[]
}

/** Covariances of other classes in each class's directions. */
async function otherClasses(
  set: DeviceSet,
  covariances: ClassCovariances,
  { vectors, width }: { vectors: ReadonlyMap<number, readonly Float64Array[]>; width: number },
): Promise<Map<number, Others>> {
  const { signal, rng, progress } = forks(set)
  const size = covariances.live.length
  const judged = vectors.size
  const operations = judged * width * size * (size + width)
  const room = Math.min(othersOperations / operations, othersBytes / (judged * width * width * 8))
  const count = Math.min(covariances.classes.length - 1, Math.max(8, Math.floor(room)))
  const chosen = new Map<number, ReadonlySet<number>>()
  const found = new Map<number, Others>()
  for (const c of vectors.keys()) {
    const others = covariances.classes.filter((j) => j !== c)
    chosen.set(c, new Set(drawSome(others, count, rng.fork(`others of ${set.set.classes[c]?.label}`))))
    found.set(c, { classes: [], covariances: [identity(width)], counts: [Number.MAX_SAFE_INTEGER] })
  }
  let done = 0
  for await (const { classIndex: j, covariance } of covariances.each()) {
    for (const [c, own] of vectors) {
      if (!chosen.get(c)?.has(j)) continue
      const into = found.get(c) as Others
      into.classes.push(j)
      into.covariances.push(await inTurns(within(covariance, size, own), signal))
      into.counts.push((set.set.classes[j] as { rows: number }).rows)
    }
    progress(0.35 + (0.1 * ++done) / covariances.classes.length)
  }
  return found
}

/** Every `step`-th value from the `first` on. */
function every(values: ArrayLike<number>, step: number, first: number): Float64Array {
  const own = new Float64Array(values.length / step)
  for (let i = 0; i < own.length; i++) own[i] = values[i * step + first] as number
  return own
}

function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0))
}
