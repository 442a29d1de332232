import { medianInPlace } from '../stats/median.js'

/** Orders of Gram features: powers 1 … 8 (Ma et al. 2023; Sastry & Oore 2020). */
const orders = 8

/**
 * Gram features of one row x of `cols` values, `[8 · cols]`, an order after the other: row sums of the p-th order Gram matrix
 * (xᵖ·(xᵖ)ᵀ), brought back by the p-th root: sign · |xᵢ|·|Σⱼ xⱼᵖ|^(1/p). The values are divided by the largest before they are raised, so that
 * none overflows.
 */
export function gramFeatures(x: ArrayLike<number>, from: number, cols: number, output: Float64Array): void {
  let largest = 0
  for (let j = 0; j < cols; j++) largest = Math.max(largest, Math.abs(x[from + j] as number))
  if (largest === 0) {
    output.fill(0)
    return
  }
  for (let p = 1, at = 0; p <= orders; p++) {
    let sum = 0
    for (let j = 0; j < cols; j++) sum += raised((x[from + j] as number) / largest, p)
    const root = rootOf(sum, p) * largest
    const even = p % 2 === 0
    for (let j = 0; j < cols; j++, at++) {
      const value = x[from + j] as number
      output[at] = (even ? Math.abs(value) : value) * root
    }
  }
}

/** valueᵖ by multiplication: much faster than `**`, which this is most of the work of. */
function raised(value: number, p: number): number {
  const square = value * value
  const fourth = square * square
  const byTwo = p & 2 ? square : 1
  const byFour = p & 4 ? fourth : 1
  return (p & 1 ? value : 1) * byTwo * byFour * (p & 8 ? fourth * fourth : 1)
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

/** Bands of `rows: [n, cols]`, n ≥ 1: about 50·n·cols operations; yields after every few columns. */
export function* gramBands(rows: ArrayLike<number>, cols: number): Generator<void, GramBands, void> {
  const n = rows.length / cols
  const width = orders * cols
  const features = new Float64Array(n * width)
  for (let i = 0; i < n; i++) {
    gramFeatures(rows, i * cols, cols, features.subarray(i * width, (i + 1) * width))
    if (i % 256 === 255) yield
  }
  const bands = { median: new Float64Array(width), half: new Float64Array(width), size: new Float64Array(orders) }
  const column = new Float64Array(n)
  for (let at = 0; at < width; at++) {
    let sum = 0
    for (let i = 0; i < n; i++) {
      column[i] = features[i * width + at] as number
      sum += Math.abs(column[i] as number)
    }
    const order = Math.floor(at / cols)
    bands.size[order] = (bands.size[order] as number) + sum / (n * cols)
    const median = medianInPlace(column)
    for (let i = 0; i < n; i++) column[i] = Math.abs((column[i] as number) - median)
    bands.median[at] = median
    bands.half[at] = deviationsWide * medianInPlace(column)
    if (at % 64 === 63) yield
  }
  return bands
}

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
