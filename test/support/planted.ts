import { Rng } from '../../src/core/rng.js'
import { shuffled } from '../../src/stats/draws.js'

export interface PlantedOptions {
  readonly seed: number
  /** Rows bearing each label, poisoned ones included: one number for every class, or one number a class. */
  readonly rows: number | readonly number[]
  /** How many classes, where `rows` is one number; 4 by default. */
  readonly classes?: number
  /** Columns, dead ones included. */
  readonly features: number
  readonly poison?: {
    /** The label that the poisoned rows bear. */
    readonly target: number
    /** The class that they came from: the shift then points from the target's mean to the source's. Otherwise it is a random direction. */
    readonly source?: number
    /** ε: poisoned rows / all rows bearing the target's label, rounded to whole rows. */
    readonly rate: number
    /** How far the poisoned rows' mean lies from the other rows' mean, in within-class standard deviations. */
    readonly shift: number
    /** Spread of the poisoned rows, as a multiple of that of the others; 1 by default. */
    readonly tight?: number
  }
  /** Added to every live feature: with 1e4 the mean is far larger than the spread. 0 by default. */
  readonly offset?: number
  /** How many columns are 0 throughout, at random places; 0 by default. */
  readonly deadColumns?: number
  /** Negative values become 0, before the offset is added: sparse, one-sided features. `shift` is meant before that. */
  readonly relu?: boolean
  /** Student's t with 5 degrees of freedom a row, scaled to the same variance, instead of a normal distribution. */
  readonly heavyTails?: boolean
  /** A class that consists of two natural halves, 6 standard deviations apart. */
  readonly bimodalClass?: number
}

export interface Planted {
  /** `[n, features]`, row-major. */
  readonly activations: { readonly data: Float32Array; readonly rows: number; readonly cols: number }
  /** `[n]`: 0 … classes − 1. */
  readonly labels: Int32Array
  /** `[n]`: 1 where a row is poisoned. */
  readonly poison: Uint8Array
}

const CLASS_DISTANCE = 8
const HALVES_APART = 6
const DEGREES_OF_FREEDOM = 5

/**
 * Makes labelled activations with poison in known rows. Every live feature of a class is normal with standard deviation 1 around the
 * class's mean; class means are 8 from the origin in random directions; the rows of all classes are shuffled together. Counts are
 * exact: `rows` per label, round(rate · rows) of the target poisoned. The same options give the same bytes; the parts draw from
 * streams of their own, so that asking for poison does not change the rows of the other classes.
 */
export function planted(options: PlantedOptions): Planted {
  const { features, poison, offset = 0, deadColumns = 0 } = options
  const counts = typeof options.rows === 'number' ? new Array<number>(options.classes ?? 4).fill(options.rows) : options.rows
  check(options, counts)
  const rng = new Rng(options.seed, 'planted')
  const n = counts.reduce((sum, count) => sum + count, 0)

  const places = shuffled(n, rng.fork('rows'))
  const live = new Uint8Array(features).fill(1)
  for (const col of shuffled(features, rng.fork('dead columns')).subarray(0, deadColumns)) live[col] = 0

  const means = counts.map((_, label) => direction(live, CLASS_DISTANCE, rng.fork(`mean of ${label}`)))
  const halves = direction(live, HALVES_APART, rng.fork('halves'))
  const shift = poison ? shiftOf(poison, means, live, rng.fork('shift')) : null

  const data = new Float32Array(n * features)
  const labels = new Int32Array(n)
  const mask = new Uint8Array(n)
  let made = 0
  for (const [label, count] of counts.entries()) {
    const poisoned = poison?.target === label ? Math.round(poison.rate * count) : 0
    const noise = rng.fork(`rows of ${label}`)
    const mean = means[label] as Float64Array
    for (let i = 0; i < count; i++) {
      const row = places[made++] as number
      const isPoison = i < poisoned
      labels[row] = label
      mask[row] = isPoison ? 1 : 0
      const spread = (options.heavyTails ? tailFactor(noise) : 1) * (isPoison ? (poison?.tight ?? 1) : 1)
      const half = options.bimodalClass !== label ? 0 : i % 2 === 0 ? 0.5 : -0.5
      for (let col = 0; col < features; col++) {
        if (!live[col]) continue
        let value = (mean[col] as number) + spread * noise.normal() + half * (halves[col] as number)
        if (isPoison && shift) value += shift[col] as number
        if (options.relu && value < 0) value = 0
        data[row * features + col] = value + offset
      }
    }
  }
  return { activations: { data, rows: n, cols: features }, labels, poison: mask }
}

function shiftOf(poison: NonNullable<PlantedOptions['poison']>, means: readonly Float64Array[], live: Uint8Array, rng: Rng): Float64Array {
  if (poison.source === undefined) return direction(live, poison.shift, rng)
  const from = means[poison.target] as Float64Array
  const to = means[poison.source] as Float64Array
  return scaled(
    to.map((value, col) => value - (from[col] as number)),
    poison.shift,
  )
}

/** A vector of the given length in a random direction, 0 in dead columns. */
function direction(live: Uint8Array, length: number, rng: Rng): Float64Array {
  return scaled(
    Float64Array.from(live, (alive) => (alive ? rng.normal() : 0)),
    length,
  )
}

function scaled(vector: Float64Array, length: number): Float64Array {
  const norm = Math.hypot(...vector)
  return norm === 0 ? vector : vector.map((value) => (value * length) / norm)
}

/** What turns a normal row into one of Student's t with the variance of the normal. */
function tailFactor(rng: Rng): number {
  let chiSquared = 0
  for (let i = 0; i < DEGREES_OF_FREEDOM; i++) chiSquared += rng.normal() ** 2
  return Math.sqrt((DEGREES_OF_FREEDOM - 2) / chiSquared)
}

function check({ features, poison, deadColumns = 0, bimodalClass }: PlantedOptions, counts: readonly number[]): void {
  const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0
  const isClass = (value: number | undefined) => value === undefined || (isCount(value) && value < counts.length)
  const fail = (what: string) => {
    throw new RangeError(`planted: ${what}`)
  }
  if (counts.length === 0 || !counts.every(isCount)) fail(`rows [${counts}] are not whole numbers, one for each class`)
  if (!isCount(features) || !isCount(deadColumns) || deadColumns > features) fail(`${features} features cannot have ${deadColumns} dead`)
  if (!isClass(bimodalClass)) fail(`there is no class ${bimodalClass}`)
  if (!poison) return
  if (!isClass(poison.target) || !isClass(poison.source)) fail(`there is no class ${poison.target} or ${poison.source}`)
  if (poison.source === poison.target) fail(`source and target are both ${poison.target}`)
  if (!(poison.rate >= 0 && poison.rate <= 1)) fail(`rate ${poison.rate} is not within 0 … 1`)
}
