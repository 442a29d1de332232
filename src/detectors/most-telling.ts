import type { Task } from '../core/lane.js'
import { placesAlong } from '../linalg/projections.js'
import { type QueMap, queMap } from '../linalg/quantum-entropy.js'
import { trimmedCovariance } from '../linalg/trimmed-covariance.js'

/** One class's rows in its principal directions: plain values, so that any thread can search them. */
export interface ClassToTell {
  /** `[n, stride]`, of which the first `rank` columns are looked at. */
  readonly coordinates: Float64Array
  readonly stride: number
  readonly rank: number
  /** `[rank]`, added to the covariance's diagonal. */
  readonly ridge: Float64Array
  readonly alpha: number
}

export interface Telling {
  /** `[n]` QUE scores. */
  readonly scores: Float32Array
  /** Their mean. */
  readonly average: number
  /** Directions and trim that gave them. */
  readonly k: number
  readonly trim: number
  /** What gives the score of any row, once its coordinates are multiplied by `scale: [rank]`, which makes each have mean square 1. */
  readonly scale: Float64Array
  readonly map: QueMap
}

/** The paper's: ten numbers of directions, from 1 to 100, their square roots evenly apart. */
export const grid = Array.from({ length: 10 }, (_, i) => (i + 1) ** 2)
/** The paper trims 1.5·ε of the rows, ε being given; here it may be up to 7 % and up to 20 %. */
const trims = [0.1, 0.3]
const rounds = 3
/** Rows that a direction takes: with fewer the trimmed covariance is of the rows themselves. */
export const rowsPerDirection = 5

/** SPECTRE's search over a grid: the number of directions and the trim whose scores have the largest mean. See `spectre`. */
function* mostTelling({ coordinates, stride, rank, ridge, alpha }: ClassToTell): Generator<void, Telling, void> {
  const n = coordinates.length / stride
  const scale = scalesOf(coordinates, stride, rank)
  const rows = new Float64Array(n * rank)
  for (let i = 0; i < n; i++)
    for (let j = 0; j < rank; j++) rows[i * rank + j] = (scale[j] as number) * (coordinates[i * stride + j] as number)
  let best: { map: QueMap; k: number; trim: number } | null = null
  for (const k of grid) {
    if (k > 1 && (k > rank || k * rowsPerDirection > n)) break
    const data = new Float64Array(n * k)
    for (let i = 0; i < n; i++) data.set(rows.subarray(i * rank, i * rank + k), i * k)
    for (const trim of trims) {
      const robust = yield* trimmedCovariance({ data, cols: k }, { trim, rounds, ridge })
      const map = yield* queMap(robust, alpha)
      if (best === null || map.average > best.map.average) best = { map, k, trim }
    }
  }
  const { map, k, trim } = best as NonNullable<typeof best>
  return { scores: yield* scoresOf(rows, rank, map), average: map.average, k, trim, map, scale }
}

export const mostTellingTask: Task<ClassToTell, Telling> = { name: 'most telling directions', run: mostTelling }

function scalesOf(coordinates: Float64Array, stride: number, rank: number): Float64Array {
  const n = coordinates.length / stride
  return Float64Array.from({ length: rank }, (_, j) => {
    let squares = 0
    for (let i = 0; i < n; i++) squares += (coordinates[i * stride + j] as number) ** 2
    return squares > 0 ? Math.sqrt(n / squares) : 0
  })
}

/** Of rows `[n, rank]`, of which a map may look at fewer columns: those that follow count for nothing in its directions. */
function* scoresOf(rows: Float64Array, rank: number, { mean, directions }: QueMap): Generator<void, Float32Array, void> {
  const along = { mean: new Float64Array(rank), directions: new Float64Array(directions.length * rank), stride: rank }
  along.mean.set(mean)
  for (const [k, direction] of directions.entries()) along.directions.set(direction, k * rank)
  const places = yield* placesAlong({ data: rows, cols: rank }, along)
  const scores = new Float32Array(rows.length / rank)
  for (let i = 0, at = 0; i < scores.length; i++) {
    let score = 0
    for (const end = at + directions.length; at < end; at++) score += (places[at] as number) ** 2
    scores[i] = score
  }
  return scores
}
