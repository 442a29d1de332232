import { Rng } from '../../src/core/rng.js'
import type { PlantedActivationsOptions } from '../../src/redteam/planted-activations.js'
import { shuffled } from '../../src/stats/draws.js'

/** A planted set to audit. */
export interface Case {
  /** What the tables group by. */
  readonly kind: string
  readonly options: PlantedActivationsOptions & { readonly rows: number[]; readonly trusted: number }
}

const manyClasses = 1000
/** One run in so many is of `manyClasses` classes. */
const manyEvery = 110
const isMany = (index: number) => index % manyEvery === manyEvery - 6
/** Rows that a class needs to be judged. */
const judged = 30
const features = 64
const imbalances = [1, 1, 4, 10, 50, 200]

export const cleanKinds = [
  'normal distribution',
  'heavy tails',
  'ReLU, dead units',
  'imbalance 10:1',
  'imbalance 200:1',
  'natural groups',
  'merged labels',
  'tracks of near-copies',
  'all of these',
] as const

/** Clean set `index` of a seed: kinds take turns, each with trusted rows and without. The same numbers give the same set. */
export function cleanCase(index: number, seed: number): Case {
  const rng = new Rng(seed, `clean set ${index}`)
  const kind = cleanKinds[index % cleanKinds.length] as (typeof cleanKinds)[number]
  const withTrusted = Math.floor(index / cleanKinds.length) % 2 === 0
  if (isMany(index)) return { kind: `${manyClasses} classes`, options: { ...many(rng), trusted: withTrusted ? 5 : 0 } }
  const is = (...kinds: (typeof cleanKinds)[number][]) => kinds.includes(kind)
  const everything = kind === 'all of these'
  const imbalance = is('imbalance 10:1') ? 10 : is('imbalance 200:1') ? 200 : everything ? pick(rng, imbalances) : 1
  const rows = rowsOfClasses(rng, { classes: classCount(rng), imbalance })
  const some = (most: number) => labelsWith(rows, 2 * judged, rng).slice(0, 1 + rng.below(most))
  const groups =
    is('natural groups', 'merged labels') || everything
      ? some(Math.max(1, Math.ceil(rows.length / 3))).map((label) => ({
          label,
          share: between(rng, 0.08, 0.5),
          kind: is('merged labels') || (everything && rng.float() < 0.3) ? ('merged' as const) : ('natural' as const),
          distance: between(rng, 2, 6),
        }))
      : []
  const tracks =
    is('tracks of near-copies') || everything
      ? some(rows.length).map((label) => ({ label, count: 1 + rng.below(2), rows: 5 + rng.below(20), spread: between(rng, 0.02, 0.2) }))
      : []
  const relu = !is('normal distribution', 'heavy tails')
  return {
    kind,
    options: {
      ...common(rng),
      rows,
      layer: relu ? 'relu' : 'linear',
      deadUnits: is('ReLU, dead units') || everything ? rng.below(features / 2) : 0,
      ...((is('heavy tails') || (everything && rng.float() < 0.5)) && { degrees: 3 + rng.below(6) }),
      groups,
      tracks,
      trusted: withTrusted ? pick(rng, [5, 20, 60]) : 0,
    },
  }
}

export const attackKinds = ['source-to-target', 'all-to-one', 'clean-label'] as const

/**
 * Poisoned set `index` of a seed: rates of 0.3 to 50 % of the target class, 2 to 1,000 classes, imbalance up to 200:1, every layer; in a third of
 * them some class has a natural second group, which may be the target. Triggers differ in length, so that some poison lies close to the rest.
 * Of every class there are `trusted` rows.
 */
export function attackCase(index: number, { seed, trusted }: { seed: number; trusted: number }): Case {
  const rng = new Rng(seed, `poisoned set ${index}`)
  const kind = pick(rng, ['source-to-target', 'source-to-target', 'all-to-one', 'clean-label'] as const)
  const rows = isMany(index) ? many(rng).rows : rowsOfClasses(rng, { classes: classCount(rng), imbalance: pick(rng, imbalances) })
  const target = rng.below(rows.length)
  // Of its own size, so that rates of well below 1 % are rows that can be counted.
  const targetRows = Math.round(logBetween(rng, 100, 1200))
  rows[target] = targetRows
  const others = labelsWith(rows, judged, rng).filter((label) => label !== target)
  const source = others[0] ?? (target + 1) % rows.length
  const rate = Math.max(logBetween(rng, 0.003, 0.5), 1 / targetRows)
  const grouped = rng.float() < 1 / 3 ? pick(rng, [target, others[1] ?? source, source]) : null
  return {
    kind,
    options: {
      ...common(rng),
      rows,
      layer: rng.float() < 0.75 ? 'relu' : 'linear',
      deadUnits: rng.float() < 0.5 ? rng.below(features / 2) : 0,
      ...(rng.float() < 0.25 && { degrees: 4 + rng.below(6) }),
      groups: grouped === null ? [] : [{ label: grouped, share: between(rng, 0.08, 0.5), distance: between(rng, 2, 6) }],
      attack: {
        kind,
        target,
        ...(kind === 'source-to-target' && { source }),
        rate,
        reach: between(rng, 0.5, 0.95),
        trigger: between(rng, 2.5, 6),
      },
      trusted,
    },
  }
}

function common(rng: Rng) {
  return {
    seed: rng.below(2 ** 31),
    features,
    separation: between(rng, 4, 8),
    ownVariation: between(rng, 0.2, 1),
  }
}

/** Many small classes. */
const many = (rng: Rng) => ({ ...common(rng), rows: Array<number>(manyClasses).fill(judged + 2) })

/** Mostly few, since the time that a set takes grows with them. */
const classCount = (rng: Rng) => pick(rng, [2, 2, 3, 3, 4, 5, 5, 6, 8, 10, 10, 10, rng.float() < 0.5 ? 20 : 43])

/** Rows of each class, in random order: the largest of 80 to 300 and fewer in sets of many classes, the smallest of at least 10. */
function rowsOfClasses(rng: Rng, { classes, imbalance }: { classes: number; imbalance: number }): number[] {
  const largest = (classes > 10 ? 100 : 200) * between(rng, 0.5, 1.5) * (imbalance > 10 ? 3 : 1)
  const rows = Array.from({ length: classes }, (_, c) => Math.max(10, Math.round(largest * imbalance ** (-c / (classes - 1)))))
  return shuffle(rows, rng)
}

/** Labels of at least so many rows, in random order; the largest one where there is none. */
function labelsWith(rows: readonly number[], least: number, rng: Rng): number[] {
  const large = [...rows.keys()].filter((label) => (rows[label] as number) >= least)
  return large.length > 0 ? shuffle(large, rng) : [rows.indexOf(Math.max(...rows))]
}

const shuffle = <T>(values: readonly T[], rng: Rng): T[] => Array.from(shuffled(values.length, rng), (i) => values[i] as T)

const pick = <T>(rng: Rng, values: readonly T[]): T => values[rng.below(values.length)] as T
const between = (rng: Rng, low: number, high: number) => low + (high - low) * rng.float()
const logBetween = (rng: Rng, low: number, high: number) => low * (high / low) ** rng.float()
