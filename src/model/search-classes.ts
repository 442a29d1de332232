import { pause } from '../core/pause.js'
import type { Rng } from '../core/rng.js'
import { mergePValues, outlierPValues } from './class-outliers.js'
import { marginsOf } from './margins.js'
import { type FoundPatch, patchSize, searchPatch, stamp } from './patch-search.js'
import type { PixelRange } from './pixel-range.js'
import { growPrototypes } from './prototypes.js'
import type { SearchedNetwork } from './searched-network.js'
import { type SourceSearch, searchBySource } from './source-search.js'
import { type FoundPerturbation, searchPerturbation } from './universal-search.js'

/** What the search for a trigger to one class came to. */
export interface ClassSearch {
  readonly label: number
  readonly patch: FoundPatch
  readonly perturbation: FoundPerturbation
  /** From where the class stands out most. */
  readonly bySource: SourceSearch
  /** Share of given inputs that took no part in the search, of other classes, that the patch sends to the class. */
  readonly heldOutSuccessRate: number | null
  /** Probability that a class like the other ones is reached so easily; null for fewer than four classes. */
  readonly pValue: number | null
  /** The same without the factor that makes it valid: for ranking. */
  readonly strength: number | null
}

export interface SearchOptions {
  readonly range: PixelRange
  readonly rng: Rng
  /** Clean inputs `[n, inputLength]`; half of them are searched with, the others are for trying what was found. */
  readonly inputs?: Float32Array | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: { readonly stage: string; readonly done: number; readonly total: number }) => void) | undefined
}

/** What was searched, and with what. */
export interface ClassesSearched {
  readonly classes: readonly ClassSearch[]
  /** Inputs `[n, inputLength]` that triggers were made on: given ones, or prototypes. */
  readonly searched: Float32Array
  /** Inputs that they were not made on: the other given ones, or other prototypes. */
  readonly heldOut: Float32Array
}

/** Inputs that are searched with at most: grown for twelve classes, or given. */
const grownClasses = 12
const searchedInputs = 64
/** Products for all that is tried, gradients counted: what is more is tried on fewer inputs and places, down to the least. */
const ampleWork = 4e11
const maxWork = 5e12

/** How many inputs and places fit into the work; null where even the fewest do not. */
function planWork(network: SearchedNetwork, inputs: number): { inputs: number; places: number } | null {
  // a place takes five gradients, the two perturbations eleven each
  const gradients = (places: number) => 1 + 5 * places + 2 * 11
  const work = (count: number, places: number) => network.gradientPasses * network.products * network.classes * count * gradients(places)
  for (const plan of [
    { inputs, places: 4 },
    { inputs: 24, places: 4 },
    { inputs: 12, places: 3 },
    { inputs: 8, places: 1 },
  ]) {
    const count = Math.min(plan.inputs, inputs)
    if (work(count, plan.places) <= (plan.places === 1 ? maxWork : ampleWork)) return { inputs: count, places: plan.places }
  }
  return null
}

/**
 * For each class, looks for a small patch and for a small universal perturbation that send all inputs to it, and for perturbations of the inputs
 * of each other class alone: a class to which a backdoor leads is reached more easily than the others (Neural Cleanse, Wang et al., S&P 2019;
 * MM-BD, Wang et al., S&P 2024). Each class is compared with the others of the same network by four measures: how far the patch gets, how
 * much of that is its doing, how much is the perturbation's, and how far the class stands out from where it does most. Without inputs the
 * network's own prototypes take their place. null where the network is too large for that.
 */
export async function searchClasses(network: SearchedNetwork, options: SearchOptions): Promise<ClassesSearched | null> {
  const { range, rng, signal } = options
  const { inputLength, classes } = network
  const given = options.inputs && shuffleRows(options.inputs, inputLength, rng.fork('inputs'))
  const grown = Math.min(classes, grownClasses)
  const available = given ? Math.min(searchedInputs, Math.ceil(given.length / inputLength / 2)) : 2 * grown
  const plan = planWork(network, available)
  if (!plan) return null
  const labels = [...new Array(classes).keys()]
  const chosen = labels.map((label) => ({ label, key: rng.fork(`class ${label}`).float() })).sort((a, b) => a.key - b.key)
  const own = chosen.slice(0, Math.min(grown, plan.inputs >> 1)).map(({ label }) => label)
  const searched = given
    ? given.subarray(0, plan.inputs * inputLength)
    : await growPrototypes(network, { classes: own, range, rng: rng.fork('prototypes') })
  const heldOut = given
    ? given.subarray(searched.length)
    : await growPrototypes(network, { classes: own, range, rng: rng.fork('prototypes to try triggers on') })
  const bySource = await searchBySource(network, searched, { range, signal })
  const found: Omit<ClassSearch, 'pValue' | 'strength'>[] = []
  for (const label of labels) {
    await pause()
    signal?.throwIfAborted()
    const patch = await searchPatch(network, searched, label, { range, size: patchSize(network.inputShape), places: plan.places })
    const perturbation = await searchPerturbation(network, searched, label, { range })
    found.push({
      label,
      patch,
      perturbation,
      bySource: bySource[label] as SourceSearch,
      heldOutSuccessRate: given && heldOut.length > 0 ? await successRate(network, heldOut, label, patch) : null,
    })
    options.onProgress?.({ stage: 'searching for triggers', done: label + 1, total: classes })
  }
  const pValues = merged([
    found.map(({ patch }) => patch.gain),
    found.map(({ patch }) => patch.margin),
    found.map(({ perturbation }) => perturbation.gain),
    found.map(({ bySource: { deviations } }) => deviations),
  ])
  const classesFound = found.map((search, index) => ({ ...search, ...(pValues[index] as (typeof pValues)[number]) }))
  return { classes: classesFound, searched, heldOut }
}

/** By each class, the p-values of several measures merged. */
function merged(measures: readonly (readonly number[])[]): { pValue: number | null; strength: number | null }[] {
  const pValues = measures.map(outlierPValues)
  return (pValues[0] ?? []).map((_, index) => {
    const own = pValues.map((all) => all[index] ?? null)
    return own.includes(null) ? { pValue: null, strength: null } : mergePValues(own as number[])
  })
}

/** Share of the inputs of other classes that a patch sends to its class. */
export async function successRate(
  network: SearchedNetwork,
  inputs: Float32Array,
  target: number,
  patch: FoundPatch,
): Promise<number | null> {
  const before = marginsOf(await network.logits(inputs), network.classes, target)
  const after = marginsOf(await network.logits(stamp(inputs, network.inputLength, patch)), network.classes, target)
  const others = [...before.keys()].filter((index) => (before[index] as number) <= 0)
  return others.length === 0 ? null : others.filter((index) => (after[index] as number) > 0).length / others.length
}

function shuffleRows(inputs: Float32Array, length: number, rng: Rng): Float32Array {
  const count = inputs.length / length
  const order = Array.from({ length: count }, (_, row) => ({ row, key: rng.float() })).sort((a, b) => a.key - b.key)
  const out = new Float32Array(inputs.length)
  order.forEach(({ row }, index) => {
    out.set(inputs.subarray(row * length, (row + 1) * length), index * length)
  })
  return out
}
