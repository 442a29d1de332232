import * as z from 'zod/mini'
import type { ActivationSetInput } from '../core/activation-set.js'
import { OptionError } from '../core/errors.js'
import { describeOptionProblems } from '../core/option-problems.js'
import { Rng } from '../core/rng.js'
import { shuffled } from '../stats/draws.js'
import { ActivationModel, type Body } from './activation-model.js'

const id = 'planted-activations'
const count = z.int().check(z.gte(1))
const share = z.number().check(z.gt(0), z.lt(1))
const length = z.number().check(z.gte(0))
const classIndex = z.int().check(z.gte(0))

const options = z.strictObject({
  seed: z._default(z.int(), 0),
  rows: z._default(z.union([count, z.array(count)]), 500),
  classes: z._default(z.int().check(z.gte(2), z.lte(10_000)), 10),
  imbalance: z._default(z.number().check(z.gte(1)), 1),
  features: z._default(z.int().check(z.gte(1), z.lte(8192)), 128),
  layer: z._default(z.enum(['relu', 'linear']), 'relu'),
  deadUnits: z._default(z.int().check(z.gte(0)), 0),
  degrees: z.optional(z.int().check(z.gte(3), z.lte(30))),
  separation: z._default(length, 6),
  ownVariation: z._default(length, 0.5),
  groups: z._default(
    z.array(
      z.strictObject({
        label: classIndex,
        share: z._default(share, 0.4),
        kind: z._default(z.enum(['natural', 'merged']), 'natural'),
        distance: z._default(length, 4),
      }),
    ),
    [],
  ),
  tracks: z._default(
    z.array(z.strictObject({ label: classIndex, count, rows: z._default(count, 10), spread: z._default(length, 0.05) })),
    [],
  ),
  attack: z.optional(
    z.strictObject({
      kind: z.enum(['source-to-target', 'all-to-one', 'clean-label']),
      target: classIndex,
      source: z.optional(classIndex),
      rate: share,
      reach: z._default(z.number().check(z.gte(0), z.lte(1)), 0.7),
      trigger: z._default(length, 4),
    }),
  ),
  trusted: z._default(z.int().check(z.gte(0)), 0),
})

type Parsed = z.infer<typeof options>
export type PlantedActivationsOptions = z.input<typeof options>

export interface PlantedActivations {
  readonly set: ActivationSetInput & {
    readonly activations: { readonly data: Float32Array; readonly rows: number; readonly cols: number }
    readonly labels: Int32Array
  }
  /** What no detector may see. */
  readonly truth: {
    /** `[n]`: 1 where a row is poisoned. */
    readonly poison: Uint8Array
    /** `[n]`: the class that each row comes from. */
    readonly trueLabels: Int32Array
    /** `[n]`, of clean rows: 0 the main body of a label, 1 its second natural group, 2 … its tracks of near-identical rows. */
    readonly group: Int32Array
    readonly target: number | null
    readonly source: number | null
  }
}

/**
 * Makes labelled activations as a poisoned training would leave them, without training anything: to calibrate detectors on many sets whose
 * truth is known. The same options give the same bytes; parts draw from streams of their own, so that an attack leaves every clean row as
 * it was without it (it takes the place of the target's last ones).
 *
 * - `rows` bearing each label, poison included: one number for the largest of `classes` labels, from which they fall geometrically to
 *   1/`imbalance` of it, or one number a label. Row order is random. `features` columns, `deadUnits` of which are 0 throughout.
 * - `layer`, `separation` and `ownVariation`: see `ActivationModel`; lengths are in standard deviations of its strongest shared direction.
 *   `degrees`: Student's t in place of a normal distribution.
 * - `groups`: labels of which a `share` of the clean rows are a second group, `natural` (`distance` away) or `merged` (as far as classes are,
 *   with a variation of its own). `tracks`: `count` times `rows` clean rows of a label that are one row but for a `spread`.
 * - `attack`: round(rate · rows of the target) rows are poison: `source-to-target` and `all-to-one`, rows of the source, or of every other
 *   class by its size, moved by `reach` of the way from their class's mean to the target's and by a trigger of length `trigger`;
 *   `clean-label`, rows of the target that are moved by the trigger alone.
 * - `trusted`: clean rows of each class, drawn anew.
 *
 * Throws `OptionError`: `bad-option`, naming every bad field; `no-rows` where a rate rounds to no row; `too-few-rows`.
 */
export function plantedActivations(given: PlantedActivationsOptions = {}): PlantedActivations {
  const parsed = parse(given)
  const { features, attack, trusted } = parsed
  const counts = rowCounts(parsed)
  const rng = new Rng(parsed.seed, id)
  const model = new ActivationModel({ ...parsed, classes: counts.length }, rng.fork('model'))
  const second = secondBodies(parsed, model, rng)
  const n = counts.reduce((sum, rows) => sum + rows, 0)
  const places = shuffled(n, rng.fork('places'))
  const data = new Float32Array(n * features)
  const rowAt = (row: number) => data.subarray(row * features, (row + 1) * features)
  const labels = new Int32Array(n)
  const trueLabels = new Int32Array(n)
  const group = new Int32Array(n)
  const poison = new Uint8Array(n)
  let start = 0
  for (const [label, rows] of counts.entries()) {
    const own = places.subarray(start, start + rows)
    start += rows
    for (const row of own) {
      labels[row] = label
      trueLabels[row] = label
    }
    const poisoned = attack?.target === label ? poisonedRows(attack.rate, rows) : 0
    const clean = own.subarray(0, rows - poisoned)
    drawClean(clean, { label, parsed, model, second: second.get(label), rng: rng.fork(`rows of ${label}`) }, { group, rowAt })
    if (!attack || poisoned === 0) continue
    const stream = rng.fork('poison')
    const trigger = model.direction(attack.trigger, rng.fork('trigger'))
    for (const row of own.subarray(clean.length)) {
      const source = sourceOf(attack, counts, stream)
      poison[row] = 1
      trueLabels[row] = source
      model.draw(model.bodies[source] as Body, stream, rowAt(row), shiftOf(attack, model, source, trigger))
    }
  }
  const set = { activations: { data, rows: n, cols: features }, labels }
  return {
    set: trusted > 0 ? { ...set, trusted: trustedRows({ parsed, counts, model, second, rng }) } : set,
    truth: { poison, trueLabels, group, target: attack?.target ?? null, source: attack?.source ?? null },
  }
}

type Attack = NonNullable<Parsed['attack']>

interface Second {
  readonly share: number
  readonly body: Body
}

function parse(given: PlantedActivationsOptions): Parsed {
  const parsed = options.safeParse(given)
  if (!parsed.success) throw new OptionError('bad-option', describeOptionProblems(id, parsed.error.issues, given))
  const { rows, classes, deadUnits, features, groups, tracks, attack } = parsed.data
  const known = typeof rows === 'number' ? classes : rows.length
  const problems: string[] = []
  const check = (fine: boolean, problem: string) => {
    if (!fine) problems.push(`${id}: ${problem}`)
  }
  const checkLabel = (name: string, label: number) => check(label < known, `${name}: got ${label}, expected one of 0 … ${known - 1}`)
  check(known >= 2, `rows: got ${known} numbers, expected at least 2`)
  check(deadUnits <= features, `deadUnits: got ${deadUnits}, expected at most ${features}`)
  for (const { label } of groups) checkLabel('groups', label)
  for (const { label } of tracks) checkLabel('tracks', label)
  check(new Set(groups.map(({ label }) => label)).size === groups.length, 'groups: expected at most one a label')
  if (attack) {
    const { kind, target, source } = attack
    checkLabel('attack.target', target)
    if (kind === 'source-to-target') {
      check(source !== undefined && source !== target && source < known, `attack.source: got ${source}, expected a label but the target`)
    } else check(source === undefined, `attack.source: got ${source}, expected none for ${kind}`)
  }
  if (problems.length > 0) throw new OptionError('bad-option', problems.join('\n'))
  return parsed.data
}

function rowCounts({ rows, classes, imbalance }: Parsed): readonly number[] {
  if (typeof rows !== 'number') return rows
  return Array.from({ length: classes }, (_, c) => Math.max(1, Math.round(rows * imbalance ** (-c / (classes - 1)))))
}

function poisonedRows(rate: number, rows: number): number {
  const poisoned = Math.round(rate * rows)
  if (poisoned > 0) return poisoned
  throw new OptionError('no-rows', `${id}: attack.rate: ${rate} of ${rows} rows rounds to 0 rows, expected at least 1; raise it`)
}

function secondBodies({ groups, separation }: Parsed, model: ActivationModel, rng: Rng): Map<number, Second> {
  const all = rng.fork('groups')
  return new Map(
    groups.map(({ label, share, kind, distance }) => {
      const own = all.fork(String(label))
      const main = model.bodies[label] as Body
      const apart = model.direction(kind === 'natural' ? distance : separation, own)
      const body =
        kind === 'natural' ? { ...main, centre: apart.map((value, j) => value + (main.centre[j] as number)) } : model.body(apart, own)
      return [label, { share, body }]
    }),
  )
}

interface Drawing {
  readonly label: number
  readonly parsed: Parsed
  readonly model: ActivationModel
  readonly second: Second | undefined
  readonly rng: Rng
}

/** The clean rows of a label: its second group first, then its main body; tracks take the place of rows from either. */
function drawClean(
  rows: Uint32Array,
  { label, parsed, model, second, rng }: Drawing,
  { group, rowAt }: { group: Int32Array; rowAt: (row: number) => Float32Array },
): void {
  const main = model.bodies[label] as Body
  // Which rows are of the second group depends on their places alone, so that an attack leaves them as they were.
  rows.forEach((row, i) => {
    const isSecond = second !== undefined && Math.floor((i + 1) * second.share) > Math.floor(i * second.share)
    if (isSecond) group[row] = 1
    model.draw(isSecond ? second.body : main, rng, rowAt(row))
  })
  let start = 0
  let track = 2
  const noise = rng.fork('tracks')
  const floor = parsed.layer === 'relu' ? 0 : Number.NEGATIVE_INFINITY
  for (const { count, rows: long, spread } of parsed.tracks.filter((tracks) => tracks.label === label)) {
    if (start + count * long > rows.length) {
      throw new OptionError('too-few-rows', `${id}: tracks: label ${label} has ${rows.length} clean rows, too few for the tracks asked for`)
    }
    for (let t = 0; t < count; t++, track++, start += long) {
      const first = rowAt(rows[start] as number)
      for (const row of rows.subarray(start, start + long)) {
        group[row] = track
        const own = rowAt(row)
        first.forEach((value, j) => {
          own[j] = value === 0 ? 0 : Math.max(floor, value + spread * noise.normal()) // a unit that is off stays off
        })
      }
    }
  }
}

/** The class that the next poisoned row comes from. */
function sourceOf({ kind, target, source }: Attack, counts: readonly number[], rng: Rng): number {
  if (kind === 'clean-label') return target
  if (kind === 'source-to-target') return source as number
  const ofOthers = counts.map((rows, c) => (c === target ? 0 : rows))
  let left = rng.below(ofOthers.reduce((sum, rows) => sum + rows, 0))
  let from = 0
  for (; left >= (ofOthers[from] as number); from++) left -= ofOthers[from] as number
  return from
}

function shiftOf({ target, reach }: Attack, { bodies }: ActivationModel, source: number, trigger: Float64Array): Float64Array {
  const from = (bodies[source] as Body).centre
  const to = (bodies[target] as Body).centre
  return trigger.map((value, j) => value + reach * ((to[j] as number) - (from[j] as number)))
}

function trustedRows({
  parsed,
  counts,
  model,
  second,
  rng,
}: {
  readonly parsed: Parsed
  readonly counts: readonly number[]
  readonly model: ActivationModel
  readonly second: ReadonlyMap<number, Second>
  readonly rng: Rng
}) {
  const { features, trusted } = parsed
  const rows = counts.length * trusted
  const data = new Float32Array(rows * features)
  const labels = Int32Array.from({ length: rows }, (_, i) => Math.floor(i / trusted))
  labels.forEach((label, i) => {
    if (i % trusted !== 0) return
    const stream = rng.fork(`trusted ${label}`)
    const other = second.get(label)
    for (let row = i; row < i + trusted; row++) {
      const isSecond = other !== undefined && stream.float() < other.share
      model.draw(isSecond ? other.body : (model.bodies[label] as Body), stream, data.subarray(row * features, (row + 1) * features))
    }
  })
  return { activations: { data, rows, cols: features }, labels }
}
