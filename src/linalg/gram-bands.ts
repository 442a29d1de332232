import { type DoubleEngine, doubleEngine } from '../core/double-engine.js'
import type { Task } from '../core/lane.js'
import { sharedDoubles } from '../core/shared-floats.js'
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

/** What of a class's bands is the same for all rows, worked out once: a row then takes about ten operations a feature and no division. */
export interface BandLimits {
  readonly cols: number
  /**
   * Medians, half widths, and one over what a distance from the median, beyond the upper and beyond the lower end is divided by (0 where that is 0):
   * `[5, 8, stride]`, `stride` being cols or one more, in memory that threads share.
   */
  readonly limits: Float64Array
}

const strideOf = (cols: number) => cols + (cols & 1)

export function bandLimits({ median, half, size }: GramBands): BandLimits {
  const cols = median.length / orders
  const stride = strideOf(cols)
  const width = orders * stride
  const limits = sharedDoubles(5 * width)
  const inverse = (value: number) => (value > 0 ? 1 / value : 0)
  for (let order = 0; order < orders; order++) {
    const mean = size[order] as number
    for (let j = 0; j < cols; j++) {
      const [middle, reach] = [median[order * cols + j] as number, half[order * cols + j] as number]
      const values = [
        middle,
        reach,
        inverse(reach / deviationsWide + mean / 10),
        inverse(Math.abs(middle + reach) + mean),
        inverse(Math.abs(middle - reach) + mean),
      ]
      for (const [i, value] of values.entries()) limits[i * width + order * stride + j] = value
    }
  }
  return { cols, limits }
}

/** Rows of one class, `[n, cols]`, and its bands. */
export interface BandedRows extends BandLimits {
  readonly rows: Float32Array
}

/** Rows that are dealt with between two yields: some milliseconds. */
const valuesPerTurn = 2 ** 18

/** How far each row is from its class's bands: `[n, 2]`, `GramDeviation.beyond` and `.within`. Finite. */
export function* gramDeviations({ rows, cols, limits }: BandedRows): Generator<void, Float64Array, void> {
  const n = rows.length / cols
  const out = new Float64Array(n * 2)
  doubleEngine()?.keep(limits)
  const perTurn = Math.max(1, Math.floor(valuesPerTurn / (orders * cols)))
  for (let first = 0; first < n; first += perTurn) {
    const end = Math.min(first + perTurn, n)
    const block = { rows: rows.subarray(first * cols, end * cols), cols, limits }
    ;(doubleEngine() ? deviationsInWebAssembly : plainDeviations)(block, out.subarray(first * 2, end * 2))
    if (end < n) yield
  }
  for (let i = 0; i < n; i++) {
    out[2 * i] = Math.min((out[2 * i] as number) / (orders * cols), largestDeviation)
    out[2 * i + 1] = (out[2 * i + 1] as number) / (orders * cols)
  }
  return out
}

export const gramDeviationsTask: Task<BandedRows, Float64Array> = { name: 'Gram deviations', run: gramDeviations }

/** Sums over a row's features. Even and odd columns are added up apart, here and below. */
function plainDeviations({ rows, cols, limits }: BandedRows, out: Float64Array): void {
  const stride = strideOf(cols)
  const width = orders * stride
  const scaled = new Float64Array(stride)
  const powers = new Float64Array(stride)
  for (let i = 0, from = 0; from < rows.length; i++, from += cols) {
    let largest = 0
    for (let j = 0; j < cols; j++) largest = Math.max(largest, Math.abs(rows[from + j] as number))
    for (let j = 0; j < cols; j++) scaled[j] = largest > 0 ? (rows[from + j] as number) / largest : 0
    powers.set(scaled)
    const beyond: [number, number] = [0, 0]
    const within: [number, number] = [0, 0]
    for (let p = 1; p <= orders; p++) {
      const sums: [number, number] = [0, 0]
      for (let j = 0; j < stride; j++) sums[(j & 1) as 0 | 1] += powers[j] as number
      const root = rootOf(sums[0] + sums[1], p) * (largest * largest)
      for (let j = 0, at = (p - 1) * stride; j < stride; j++, at++) {
        const value = scaled[j] as number
        const lane = (j & 1) as 0 | 1
        const off = (p % 2 === 0 ? Math.abs(value) : value) * root - (limits[at] as number)
        const distance = Math.abs(off)
        const reach = limits[width + at] as number
        const deviations = Math.min(distance * (limits[2 * width + at] as number), mostDeviations)
        within[lane] += deviations * deviations
        if (distance > reach) {
          const per = limits[(off > 0 ? 3 : 4) * width + at] as number
          beyond[lane] += per > 0 ? (distance - reach) * per : 1
        }
        powers[j] = (powers[j] as number) * value
      }
    }
    out[2 * i] = beyond[0] + beyond[1]
    out[2 * i + 1] = within[0] + within[1]
  }
}

/** The same bits. Roots are taken here: a power's last digit is the engine's own affair. */
function deviationsInWebAssembly({ rows, cols, limits }: BandedRows, out: Float64Array): void {
  const engine = doubleEngine() as DoubleEngine
  const n = rows.length / cols
  const stride = strideOf(cols)
  const [x, bands, scaled, sums, found] = engine.enter(rows, limits, n * stride * 8, n * (orders + 1) * 8, out.byteLength) as [
    number,
    number,
    number,
    number,
    number,
  ]
  engine.loops.powerSums(x, n, cols, scaled, sums)
  const roots = engine.view(sums, n * (orders + 1))
  for (let i = 0, to = 0; i < n; i++, to++) {
    const largest = roots[to] as number
    for (let p = 1; p <= orders; p++) {
      to++
      roots[to] = rootOf(roots[to] as number, p) * (largest * largest)
    }
  }
  engine.loops.bandDeviations(scaled, n, cols, bands, sums, found)
  out.set(engine.view(found, out.length))
}

const rootOf = (sum: number, p: number) => Math.sign(sum) * Math.abs(sum) ** (1 / p)

/** A feature counts as so many deviations off at most. */
const mostDeviations = 20
/** Within float32, where scores end up. */
const largestDeviation = 1e30
