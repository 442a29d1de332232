import * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import type { Rng } from '../core/rng.js'
import { drawSome } from '../stats/draws.js'
import { type CheckedImageSet, rowsBearing } from './image-set.js'

/** Options that attacks share. */
export const label = z.int().check(z.gte(-(2 ** 31)), z.lte(2 ** 31 - 1))
export const rate = z.number().check(z.gt(0), z.lte(1))
export const coverRate = z.number().check(z.gte(0), z.lte(1))
export const seed = z._default(z.int(), 0)

export interface Wanted {
  /** Names the option in messages: `badnets: rate`. */
  readonly where: string
  readonly rate: number
  /** How many rows `rate` is a share of, and what they are. */
  readonly of: number
  readonly ofWhat: string
  /** What the candidates are, for the message where they are too few. */
  readonly candidates: string
}

/**
 * Draws round(rate · of) rows from `candidates`, ascending; a half is rounded up. The draws of two rates from one stream are nested: the
 * smaller is a part of the larger. Throws `OptionError`: `no-rows` where that is none, `too-few-rows` where it is more than there are.
 */
export function drawRows(candidates: Uint32Array, { where, rate, of, ofWhat, candidates: from }: Wanted, rng: Rng): Uint32Array {
  const count = Math.round(rate * of)
  if (count === 0) {
    throw new OptionError('no-rows', `${where}: ${rate} of the ${of} ${ofWhat} rounds to 0 rows, expected at least 1; raise it`)
  }
  if (count > candidates.length) {
    const least = `${candidates.length} ${from}`
    throw new OptionError('too-few-rows', `${where}: ${rate} of the ${of} ${ofWhat} is ${count} rows, but there are ${least}; lower it`)
  }
  return drawSome(candidates, count, rng).sort()
}

export interface ChosenRows {
  readonly rows: Uint32Array
  /** What the rate is a share of. */
  readonly rateOf: string
}

/**
 * The rows that become poison. With a source class they are of that class, and the rate is a share of the clean rows of the target class
 * (ε of Tran, Li & Mądry 2018); without one they are of every class but the target, and the rate is a share of the whole set. Throws
 * `OptionError`: `unknown-label`, `same-label` where source and target are one, `no-rows`, `too-few-rows`.
 */
export function choosePoisons(
  set: CheckedImageSet,
  {
    attack,
    source,
    target,
    rate,
  }: { readonly attack: string; readonly source?: number | undefined; readonly target: number; readonly rate: number },
  rng: Rng,
): ChosenRows {
  const ofTarget = rowsBearing(set, target, `${attack}: target`)
  const where = `${attack}: rate`
  if (source === undefined) {
    const candidates = `rows of other classes than ${target}`
    const rows = drawRows(rowsOutside(set, [target]), { where, rate, of: set.rows, ofWhat: 'rows', candidates }, rng)
    return { rows, rateOf: 'all rows' }
  }
  const ofSource = rowsBearing(set, source, `${attack}: source`)
  checkApart(attack, source, target)
  const ofWhat = `clean rows of class ${target}`
  const rows = drawRows(ofSource, { where, rate, of: ofTarget.length, ofWhat, candidates: `rows of class ${source}` }, rng)
  return { rows, rateOf: 'clean rows of the target class' }
}

/** Throws `OptionError` `same-label` where poison would be no poison. */
export function checkApart(attack: string, source: number, target: number): void {
  if (source !== target) return
  throw new OptionError('same-label', `${attack}: source: got ${source}, which is the target too, expected another class`)
}

/** Rows of every class but `labels`, ascending; without those of `taken`. */
export function rowsOutside(
  { rows, labels }: CheckedImageSet,
  classes: readonly number[],
  taken: Uint32Array = new Uint32Array(0),
): Uint32Array {
  const isTaken = new Uint8Array(rows)
  for (const row of taken) isTaken[row] = 1
  return Uint32Array.from({ length: rows }, (_, row) => row).filter((row) => !isTaken[row] && !classes.includes(labels[row] as number))
}
