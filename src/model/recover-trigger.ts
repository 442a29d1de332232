import type { Rng } from '../core/rng.js'
import { marginsOf, meanOf } from './margins.js'
import { type FoundPatch, stamp } from './patch-search.js'
import { boundsOf, type PixelRange } from './pixel-range.js'
import type { ClassSearch } from './search-classes.js'
import type { SearchedNetwork } from './searched-network.js'
import { type FoundPerturbation, perturb } from './universal-search.js'

/** The trigger that the search came to, without what it has no need of, and how it worked on inputs. */
export interface RecoveredTrigger {
  readonly target: number
  /** Some pixels set to a value, or a small change of every pixel. */
  readonly kind: 'patch' | 'change'
  /** The smallest box around a picture's patch; null for a change, and for inputs that are no pictures. */
  readonly box: { readonly row: number; readonly column: number; readonly height: number; readonly width: number } | null
  /** The numbers of an input that a patch sets, by their place (channel, row, column), and their values, in the network's own form. null for a change. */
  readonly pixels: { at: number[]; value: number }[] | null
  readonly trial: Trial
}

export interface Trial {
  /** `held-out`: given inputs that the trigger was not made on. `searched`: those it was made on. `prototypes`: others than those it was made on. */
  readonly inputs: 'held-out' | 'searched' | 'prototypes'
  /** Inputs that the network takes for another class without the trigger. */
  readonly tried: number
  /** How many of them it takes for the target with the trigger. */
  readonly sent: number
  /** How many it takes for the target on average when the pixels are set (or changed by as much) at random. */
  readonly sentByChance: number
  /** Index of one that is sent; null where none is. */
  readonly example: number | null
}

/** A trigger that can be laid over inputs. */
export interface AppliedTrigger {
  readonly trigger: RecoveredTrigger
  readonly apply: (inputs: Float32Array) => Float32Array
}

export interface TriggerInputs {
  /** `[n, inputLength]` that the trigger was made on. */
  readonly searched: Float32Array
  /** That it is tried on. */
  readonly tried: Float32Array
  readonly kind: Trial['inputs']
  readonly range: PixelRange
  readonly rng: Rng
}

/** A patch is looked at in so many parts a side, and may lose parts down to this share of the inputs that the whole of it sends. */
const partsPerSide = 6
const keptSuccess = 0.95
const chanceDraws = 8

/**
 * Recovers the trigger to a class: of the patch that was found, the parts without which it works as well are taken off, the least telling first;
 * where a small change of the whole picture sends more of the tried inputs than the patch, that is the trigger. Tries it on `tried`.
 */
export async function recoverTrigger(
  network: SearchedNetwork,
  { patch, perturbation }: ClassSearch,
  inputs: TriggerInputs,
): Promise<AppliedTrigger> {
  const ofPatch = await tryPatch(network, await trimPatch(network, patch, inputs.searched), inputs)
  const ofChange = await tryChange(network, perturbation, inputs)
  return ofChange.trigger.trial.sent > ofPatch.trigger.trial.sent ? ofChange : ofPatch
}

async function tryPatch(
  network: SearchedNetwork,
  { target, row, places, values }: FoundPatch,
  { tried, kind, range, rng }: TriggerInputs,
): Promise<AppliedTrigger> {
  const { inputLength, inputShape } = network
  const { low, high } = boundsOf(inputShape, range)
  const draws = rng.fork('random patches')
  const apply = (x: Float32Array) => stamp(x, inputLength, { places, values })
  const atRandom = (x: Float32Array) =>
    stamp(x, inputLength, { places, values: Float32Array.from(places, (p) => (draws.float() < 0.5 ? low[p] : high[p]) as number) })
  const ats = [...places].map((place) => placeOf(place, inputShape))
  const pixels = ats.map((at, index) => ({ at, value: values[index] as number }))
  const box = row === null ? null : boxOf(ats as [number, number, number][])
  return { trigger: { target, kind: 'patch', box, pixels, trial: await trialOf(network, target, { tried, kind, apply, atRandom }) }, apply }
}

async function tryChange(
  network: SearchedNetwork,
  { target, change }: FoundPerturbation,
  { tried, kind, range, rng }: TriggerInputs,
): Promise<AppliedTrigger> {
  const bounds = boundsOf(network.inputShape, range)
  const draws = rng.fork('random changes')
  const apply = (x: Float32Array) => perturb(x, change, bounds)
  const atRandom = (x: Float32Array) =>
    perturb(
      x,
      change.map((value) => (draws.float() < 0.5 ? value : -value)),
      bounds,
    )
  return {
    trigger: { target, kind: 'change', box: null, pixels: null, trial: await trialOf(network, target, { tried, kind, apply, atRandom }) },
    apply,
  }
}

interface Tries {
  readonly tried: Float32Array
  readonly kind: Trial['inputs']
  readonly apply: (inputs: Float32Array) => Float32Array
  readonly atRandom: (inputs: Float32Array) => Float32Array
}

async function trialOf(network: SearchedNetwork, target: number, { tried, kind, apply, atRandom }: Tries): Promise<Trial> {
  const marginsAfter = async (x: Float32Array) => marginsOf(await network.logits(x), network.classes, target)
  const before = await marginsAfter(tried)
  const others = [...before.keys()].filter((index) => (before[index] as number) <= 0)
  const sentBy = (after: Float64Array) => others.filter((index) => (after[index] as number) > 0)
  const sent = sentBy(await marginsAfter(apply(tried)))
  let byChance = 0
  for (let draw = 0; draw < chanceDraws; draw++) byChance += sentBy(await marginsAfter(atRandom(tried))).length / chanceDraws
  return { inputs: kind, tried: others.length, sent: sent.length, sentByChance: byChance, example: sent[0] ?? null }
}

/** The patch without the parts that it does not need. */
async function trimPatch(network: SearchedNetwork, patch: FoundPatch, searched: Float32Array): Promise<FoundPatch> {
  if (patch.row === null || patch.column === null) return patch
  const target = patch.target
  const before = marginsOf(await network.logits(searched), network.classes, target)
  const tryParts = async (kept: ReadonlySet<number>) => {
    const after = marginsOf(await network.logits(stamp(searched, network.inputLength, only(patch, kept, partOf))), network.classes, target)
    return { sent: after.filter((value, index) => value > 0 && (before[index] as number) <= 0).length, margin: meanOf(after) }
  }
  const partOf = partsOf(patch, network.inputShape)
  const kept = new Set(partOf)
  const whole = (await tryParts(kept)).sent
  const without: { part: number; margin: number }[] = []
  for (const part of kept) without.push({ part, margin: (await tryParts(new Set([...kept].filter((other) => other !== part)))).margin })
  without.sort((a, b) => b.margin - a.margin || a.part - b.part)
  for (const { part } of without) {
    if (kept.size === 1) break
    kept.delete(part)
    if ((await tryParts(kept)).sent < keptSuccess * whole || whole === 0) kept.add(part)
  }
  return { ...patch, ...only(patch, kept, partOf) }
}

/** For each place of the patch, in which part of it that lies. */
function partsOf({ places, size, row, column }: FoundPatch, shape: readonly number[]): number[] {
  const side = Math.ceil(size / partsPerSide)
  return [...places].map((place) => {
    const [, y, x] = placeOf(place, shape) as [number, number, number]
    return Math.floor((y - (row as number)) / side) * partsPerSide + Math.floor((x - (column as number)) / side)
  })
}

function only({ places, values }: FoundPatch, kept: ReadonlySet<number>, partOf: readonly number[]): Pick<FoundPatch, 'places' | 'values'> {
  const stays = (_: number, index: number) => kept.has(partOf[index] as number)
  return { places: places.filter(stays), values: values.filter(stays) }
}

/** Indices along each dimension of the input. */
function placeOf(place: number, shape: readonly number[]): number[] {
  const at: number[] = []
  let rest = place
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number
    at.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return at
}

function boxOf(ats: readonly (readonly [number, number, number])[]): NonNullable<RecoveredTrigger['box']> {
  const [ys, xs] = [ats.map(([, y]) => y), ats.map(([, , x]) => x)]
  const [row, column] = [Math.min(...ys), Math.min(...xs)]
  return { row, column, height: Math.max(...ys) + 1 - row, width: Math.max(...xs) + 1 - column }
}
