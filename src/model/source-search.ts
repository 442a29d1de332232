import { pause } from '../core/pause.js'
import type { PixelRange } from './pixel-range.js'
import type { SearchedNetwork } from './searched-network.js'
import { searchPerturbation } from './universal-search.js'

/** How much more easily inputs of one class are moved to a target than to the other classes. */
export interface SourceSearch {
  /** The class from which the target stands out most; null where no inputs were of another class. */
  readonly source: number | null
  /** The gain of a change made for that class's inputs alone, in standard deviations of the gains to all other classes, above their mean. */
  readonly deviations: number
}

export interface SearchBySource {
  readonly range: PixelRange
  readonly signal?: AbortSignal | undefined
}

/** Inputs of a class that are taken, and classes, at most. */
const inputsPerSource = 8
const mostSources = 12

/**
 * For each class, the source from which it stands out: of the inputs that the network takes for one class, a small change of their own is searched
 * to every other class. What leads inputs of one class to a target (a trigger for one source only, too) stands out among what that class is
 * otherwise easily taken for, which depends on the class it starts from more than on a backdoor.
 */
export async function searchBySource(
  network: SearchedNetwork,
  inputs: Float32Array,
  { range, signal }: SearchBySource,
): Promise<SourceSearch[]> {
  const { classes, inputLength } = network
  const logits = await network.logits(inputs)
  const rowsOf = new Map<number, number[]>()
  for (let row = 0; row * inputLength < inputs.length; row++) {
    const own = logits.subarray(row * classes, (row + 1) * classes)
    const guess = own.indexOf(own.reduce((a, b) => Math.max(a, b)))
    rowsOf.set(guess, [...(rowsOf.get(guess) ?? []), row])
  }
  const found: SourceSearch[] = Array.from({ length: classes }, () => ({ source: null, deviations: Number.NEGATIVE_INFINITY }))
  for (const [source, rows] of [...rowsOf].sort(([a], [b]) => a - b).slice(0, mostSources)) {
    await pause()
    signal?.throwIfAborted()
    const own = new Float32Array(Math.min(rows.length, inputsPerSource) * inputLength)
    for (let at = 0; at * inputLength < own.length; at++) {
      own.set(inputs.subarray((rows[at] as number) * inputLength, ((rows[at] as number) + 1) * inputLength), at * inputLength)
    }
    const targets = [...found.keys()].filter((target) => target !== source)
    const gains: number[] = []
    for (const target of targets) gains.push((await searchPerturbation(network, own, target, { range })).gain)
    const mean = gains.reduce((sum, gain) => sum + gain, 0) / gains.length
    const deviation = Math.sqrt(gains.reduce((sum, gain) => sum + (gain - mean) ** 2, 0) / gains.length)
    for (const [at, target] of targets.entries()) {
      const deviations = deviation > 0 ? ((gains[at] as number) - mean) / deviation : 0
      if (deviations > (found[target] as SourceSearch).deviations) found[target] = { source, deviations }
    }
  }
  const least = found.reduce((low, { source, deviations }) => (source === null ? low : Math.min(low, deviations)), 0)
  return found.map((one) => (one.source === null ? { source: null, deviations: least } : one))
}
