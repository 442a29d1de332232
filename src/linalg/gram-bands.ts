import type { Task } from '../core/lane.js'
import { medianInPlace } from '../stats/median.js'

/** Orders of Gram features: powers 1 … 8 (Ma et al. 2023; Sastry & Oore 2020). */
const orders = 8

/**
 * Gram features of one row x of `cols` values, `[8 · cols]`, an order after the other: row sums of the p-th order Gram matrix
 * (xᵖ·(xᵖ)ᵀ), brought back by the p-th root: sign · |xᵢ|·|Σⱼ xⱼᵖ|^(1/p). The values are divided by the largest before they are raised, so that
 * none overflows.
 */
export function gramFeatures(x: ArrayLike<number>, from: number, cols: number, output: Float64Array): void {
  gramRoots(x, from, cols, roots)
  for (let p = 1, at = 0; p <= orders; p++) {
    const root = roots[p - 1] as number
    const even = p % 2 === 0
    for (let j = 0; j < cols; j++, at++) {
      const value = x[from + j] as number
      output[at] = (even ? Math.abs(value) : value) * root
    }
  }
}

const roots = new Float64Array(orders)

/** What a row's values, or their sizes where the order is even, are multiplied by to give its Gram features: `[8]`. */
function gramRoots(x: ArrayLike<number>, from: number, cols: number, output: Float64Array): void {
  let largest = 0
  for (let j = 0; j < cols; j++) largest = Math.max(largest, Math.abs(x[from + j] as number))
  if (largest === 0) {
    output.fill(0)
    return
  }
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let s4 = 0
  let s5 = 0
  let s6 = 0
  let s7 = 0
  let s8 = 0
  // By multiplication: much faster than `**`, which this is most of the work of.
  for (let j = 0; j < cols; j++) {
    const value = (x[from + j] as number) / largest
    const square = value * value
    const fourth = square * square
    s1 += value
    s2 += square
    s3 += value * square
    s4 += fourth
    s5 += value * fourth
    s6 += square * fourth
    s7 += value * square * fourth
    s8 += fourth * fourth
  }
  output.set([s1, s2, s3, s4, s5, s6, s7, s8])
  for (let p = 1; p <= orders; p++) {
    const sum = output[p - 1] as number
    output[p - 1] = rootOf(sum, p) * largest
  }
}

/** Where clean rows' Gram features lie. */
export interface GramBands {
  /** `[8 · cols]` */
  readonly median: Float64Array
  /** `[8 · cols]` half the width of a band: 10 median absolute deviations. */
  readonly half: Float64Array
  /** `[8]` mean size of an order's features. */
  readonly size: Float64Array
}

const deviationsWide = 10

/** Clean rows of a class. */
export interface CleanRows {
  /** `[n, cols]`, n ≥ 1 */
  readonly rows: ArrayLike<number>
  readonly cols: number
}

/** Bands of clean rows: about 50·n·cols operations; yields after every few columns. */
export function* gramBands({ rows, cols }: CleanRows): Generator<void, GramBands, void> {
  const n = rows.length / cols
  const width = orders * cols
  const rootsOf = new Float64Array(n * orders)
  for (let i = 0; i < n; i++) gramRoots(rows, i * cols, cols, rootsOf.subarray(i * orders, (i + 1) * orders))
  yield
  const bands = { median: new Float64Array(width), half: new Float64Array(width), size: new Float64Array(orders) }
  const values = new Float64Array(n)
  const column = new Float64Array(n)
  for (let j = 0; j < cols; j++) {
    for (let i = 0; i < n; i++) values[i] = rows[i * cols + j] as number
    for (let order = 0; order < orders; order++) {
      const isEven = order % 2 === 1
      let sum = 0
      for (let i = 0; i < n; i++) {
        const value = values[i] as number
        const feature = (isEven ? Math.abs(value) : value) * (rootsOf[i * orders + order] as number)
        column[i] = feature
        sum += Math.abs(feature)
      }
      bands.size[order] = (bands.size[order] as number) + sum / (n * cols)
      const median = medianInPlace(column)
      for (let i = 0; i < n; i++) column[i] = Math.abs((column[i] as number) - median)
      bands.median[order * cols + j] = median
      bands.half[order * cols + j] = deviationsWide * medianInPlace(column)
    }
    if (j % 8 === 7) yield
  }
  return bands
}

export const gramBandsTask: Task<CleanRows, GramBands> = { name: 'Gram bands', run: gramBands }

/** How far features leave their bands, and how much of them they fill. */
export interface GramDeviation {
  /** Mean over features of the distance beyond the band's end over (the end's own size + the mean size of its order). 0: none leaves. */
  readonly beyond: number
  /** Mean square of the distance from the median, over (the median absolute deviation + a tenth of the mean size of the order). */
  readonly within: number
}

/**
 * Deviations of rows of `cols` values from their class's bands. What of a band is the same for all rows is worked out once: a row then
 * takes about ten operations a feature and no division.
 */
export class GramDeviations {
  readonly #cols: number
  readonly #bands: GramBands
  /** One over what a distance from the median is divided by; 0 where that is 0. */
  readonly #perSpread: Float64Array
  /** One over what a distance beyond the upper and the lower end is divided by; 0 where that is 0. */
  readonly #perUpper: Float64Array
  readonly #perLower: Float64Array
  readonly #scaled: Float64Array
  readonly #powers: Float64Array

  constructor(bands: GramBands) {
    const { median, half, size } = bands
    const cols = median.length / orders
    const inverse = (value: number) => (value > 0 ? 1 / value : 0)
    const meanAt = (at: number) => size[Math.floor(at / cols)] as number
    this.#cols = cols
    this.#bands = bands
    this.#perSpread = half.map((reach, at) => inverse(reach / deviationsWide + meanAt(at) / 10))
    this.#perUpper = half.map((reach, at) => inverse(Math.abs((median[at] as number) + reach) + meanAt(at)))
    this.#perLower = half.map((reach, at) => inverse(Math.abs((median[at] as number) - reach) + meanAt(at)))
    this.#scaled = new Float64Array(cols)
    this.#powers = new Float64Array(cols)
  }

  /** Deviation of the row whose values begin at `from`. Finite. */
  of(x: ArrayLike<number>, from: number): GramDeviation {
    const cols = this.#cols
    const { median, half } = this.#bands
    const [perSpread, perUpper, perLower, scaled, powers] = [this.#perSpread, this.#perUpper, this.#perLower, this.#scaled, this.#powers]
    let largest = 0
    for (let j = 0; j < cols; j++) largest = Math.max(largest, Math.abs(x[from + j] as number))
    for (let j = 0; j < cols; j++) {
      const value = largest > 0 ? (x[from + j] as number) / largest : 0
      scaled[j] = value
      powers[j] = value
    }
    let beyond = 0
    let within = 0
    for (let p = 1, at = 0; p <= orders; p++) {
      let sum = 0
      for (let j = 0; j < cols; j++) sum += powers[j] as number
      const root = rootOf(sum, p) * largest ** 2
      const even = p % 2 === 0
      for (let j = 0; j < cols; j++, at++) {
        const value = scaled[j] as number
        const off = (even ? Math.abs(value) : value) * root - (median[at] as number)
        const distance = Math.abs(off)
        const reach = half[at] as number
        const deviations = Math.min(distance * (perSpread[at] as number), mostDeviations)
        within += deviations * deviations
        if (distance > reach) {
          const per = (off > 0 ? perUpper[at] : perLower[at]) as number
          beyond += per > 0 ? (distance - reach) * per : 1
        }
        powers[j] = (powers[j] as number) * value
      }
    }
    return { beyond: Math.min(beyond / median.length, largestDeviation), within: within / median.length }
  }
}

const rootOf = (sum: number, p: number) => Math.sign(sum) * Math.abs(sum) ** (1 / p)

/** A feature counts as so many deviations off at most. */
const mostDeviations = 20
/** Within float32, where scores end up. */
const largestDeviation = 1e30
