import type { DeviceSet } from '../core/device-set.js'
import { rowNorms } from '../linalg/row-norms.js'
import { drawPlaces } from '../stats/draws.js'

/** The rows of every class that a model is fitted on: all of a class, or as many as were asked for, drawn by the seed. */
export interface FittedRows {
  /** Of a class, at most. */
  readonly most: number
  /** Positions in class order, rising; null where all rows of the class are taken. */
  positionsOf(c: number): Uint32Array | null
  /** Rows of class c that are taken. */
  countOf(c: number): number
  /** Rows of the classes before class c that are taken: of all, where c is how many classes there are. */
  startOf(c: number): number
  /** Classes of which not all rows are taken. */
  readonly drawn: readonly number[]
  /** Positions of all classes one after the other, rising: the same array every time, so that passes over them are shared. */
  positions(): Uint32Array
  /** In words, of which classes something was fitted on drawn rows; undefined where of none. */
  says(what: string): string | undefined
}

/** At most `most` rows of each class. Two detectors that ask for the same number get the same rows. */
export function fittedRows(set: DeviceSet, most: number): FittedRows {
  return set.keep(`fitted rows ${most}`, () => draw(set, most))
}

/** Euclidean norms of the rows that are fitted on, in the order of their positions. One pass, the first time. */
export function normsOfFitted(set: DeviceSet, fitted: FittedRows): Promise<Float64Array> {
  return set.keep(`norms of fitted rows ${fitted.most}`, () => {
    const positions = fitted.positions()
    const placeOf = new Int32Array(set.rows).fill(-1)
    for (const [place, at] of positions.entries()) placeOf[set.set.order[at] as number] = place
    return rowNorms(set.reads(), positions.length, placeOf)
  })
}

function draw(set: DeviceSet, most: number): FittedRows {
  const { classes, starts } = set.set
  const rng = set.context.rng.fork('fitted rows')
  const positionsOf = (c: number) => {
    const { rows, label } = classes[c] as { rows: number; label: unknown }
    if (rows <= most) return null
    const start = starts[c] as number
    return drawPlaces(rows, most, rng.fork(String(label)))
      .map((at) => start + at)
      .sort()
  }
  const chosen = classes.map((_, c) => positionsOf(c))
  const countOf = (c: number) => chosen[c]?.length ?? classes[c]?.rows ?? 0
  const drawn = [...chosen.keys()].filter((c) => chosen[c])
  const startsOf = new Uint32Array(classes.length + 1)
  for (let c = 0; c < classes.length; c++) startsOf[c + 1] = (startsOf[c] as number) + countOf(c)
  let all: Uint32Array | null = null
  return {
    most,
    positionsOf: (c) => chosen[c] ?? null,
    countOf,
    startOf: (c) => startsOf[c] as number,
    drawn,
    positions() {
      if (all) return all
      all = new Uint32Array(startsOf[classes.length] as number)
      for (const c of classes.keys()) {
        const [own, at] = [chosen[c], startsOf[c] as number]
        if (own) all.set(own, at)
        else for (let i = 0; i < countOf(c); i++) all[at + i] = (starts[c] as number) + i
      }
      return all
    },
    says: (what) =>
      drawn.length === 0
        ? undefined
        : `${what} ${drawn.length} of ${classes.length} classes from ${most} rows each, drawn by the seed, every row scored`,
  }
}
