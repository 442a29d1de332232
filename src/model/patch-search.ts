import { marginSeeds, marginsOf, meanOf } from './margins.js'
import { boundsOf, type PixelRange } from './pixel-range.js'
import type { SearchedNetwork } from './searched-network.js'

/** The patch that pulls inputs to a class most, of those that were tried, and how far it pulls. */
export interface FoundPatch {
  readonly target: number
  /** Mean over the inputs of the target's logit less the greatest other, with the patch on them. */
  readonly margin: number
  /** By how much the patch raises that mean. */
  readonly gain: number
  /** Share of the inputs that the network takes for the target with the patch, among those it takes for another class without it. */
  readonly successRate: number
  /** Top left pixel of a picture's patch; of other inputs null. */
  readonly row: number | null
  readonly column: number | null
  readonly size: number
  /** The numbers of an input that the patch sets, and what it sets them to. */
  readonly places: Int32Array
  readonly values: Float32Array
}

export interface PatchSearch {
  readonly range: PixelRange
  /** Of the patch's side in pixels; for inputs that are no pictures, how many numbers it sets. */
  readonly size: number
  /** How many places in the picture are looked at closely. */
  readonly places?: number
  /** How often a patch is improved at most. */
  readonly rounds?: number
}

/** A patch of about a sixth of the picture, which is what is stuck on pictures in the literature (BadNets: 1 to 12 %; here 5 pixels of 28). */
export function patchSize(shape: readonly number[]): number {
  const [height, width] = shape.slice(-2) as [number, number]
  if (shape.length !== 3) return Math.max(1, Math.round(0.03 * shape.reduce((product, size) => product * size, 1)))
  return Math.max(2, Math.round(0.17 * Math.min(height, width)))
}

/**
 * Looks for one patch that makes the network take all of `inputs: [n, inputLength]` for `target`. To first order the gain of a patch is
 * the sum over its pixels of the mean gradient times the way to the nearer bound that the gradient points to; the places with the greatest
 * such gain are tried, and each patch is improved by the signs of the gradient with the patch on, until it stays the same.
 */
export async function searchPatch(
  network: SearchedNetwork,
  inputs: Float32Array,
  target: number,
  search: PatchSearch,
): Promise<FoundPatch> {
  const { inputLength, inputShape, classes } = network
  const count = inputs.length / inputLength
  const { low, high } = boundsOf(inputShape, search.range)
  const seeds = marginSeeds(classes, () => target)
  const plain = await network.gradient(inputs, seeds)
  const before = marginsOf(plain.logits, classes, target)
  const [toLow, toHigh] = [new Float64Array(inputLength), new Float64Array(inputLength)]
  for (let index = 0; index < inputs.length; index++) {
    const pixel = index % inputLength
    const slope = (plain.gradient[index] as number) / count
    toLow[pixel] = (toLow[pixel] as number) + slope * ((low[pixel] as number) - (inputs[index] as number))
    toHigh[pixel] = (toHigh[pixel] as number) + slope * ((high[pixel] as number) - (inputs[index] as number))
  }
  let best: FoundPatch | null = null
  for (const { places, row, column } of promisingPlaces(
    inputShape,
    search,
    Float64Array.from(toLow, (value, p) => Math.max(value, toHigh[p] as number, 0)),
  )) {
    let values = Float32Array.from(places, (p) => ((toHigh[p] as number) > (toLow[p] as number) ? high[p] : low[p]) as number)
    for (let round = 0; round < (search.rounds ?? 5); round++) {
      const { logits, gradient } = await network.gradient(stamp(inputs, inputLength, { places, values }), seeds)
      const after = marginsOf(logits, classes, target)
      const margin = meanOf(after)
      if (!best || margin > best.margin) {
        const turned = after.filter((value, index) => value > 0 && (before[index] as number) <= 0).length
        const others = before.filter((value) => value <= 0).length
        const successRate = others === 0 ? 0 : turned / others
        best = { target, margin, gain: margin - meanOf(before), successRate, row, column, size: search.size, places, values }
      }
      const better = Float32Array.from(places, (p) => {
        let slope = 0
        for (let start = 0; start < gradient.length; start += inputLength) slope += gradient[start + p] as number
        return (slope > 0 ? high[p] : low[p]) as number
      })
      if (better.every((value, index) => value === values[index])) break
      values = better
    }
  }
  return best as FoundPatch
}

/** The inputs with the patch on them. */
export function stamp(inputs: Float32Array, inputLength: number, { places, values }: Pick<FoundPatch, 'places' | 'values'>): Float32Array {
  const stamped = inputs.slice()
  for (let start = 0; start < stamped.length; start += inputLength) {
    for (let index = 0; index < places.length; index++) stamped[start + (places[index] as number)] = values[index] as number
  }
  return stamped
}

interface Place {
  readonly places: Int32Array
  readonly row: number | null
  readonly column: number | null
}

/** Where the gain of a patch is greatest, best first. */
function promisingPlaces(shape: readonly number[], { size, places: wanted = 4 }: PatchSearch, gain: Float64Array): Place[] {
  const [height, width] = shape.slice(-2) as [number, number]
  if (shape.length !== 3 || Math.min(height, width) < size) {
    const order = Int32Array.from(gain.keys()).sort((a, b) => (gain[b] as number) - (gain[a] as number) || a - b)
    return [{ places: order.slice(0, size), row: null, column: null }]
  }
  const channels = shape[0] as number
  const pixelsOf = (row: number, column: number) =>
    Int32Array.from({ length: channels * size * size }, (_, index) => {
      const [channel, i, j] = [Math.floor(index / size / size), Math.floor(index / size) % size, index % size]
      return (channel * height + row + i) * width + column + j
    })
  const found: { row: number; column: number; sum: number }[] = []
  for (let row = 0; row + size <= height; row++) {
    for (let column = 0; column + size <= width; column++) {
      found.push({ row, column, sum: pixelsOf(row, column).reduce((sum, p) => sum + (gain[p] as number), 0) })
    }
  }
  found.sort((a, b) => b.sum - a.sum || a.row - b.row || a.column - b.column)
  const chosen: typeof found = []
  for (const place of found) {
    if (chosen.length === wanted) break
    if (chosen.every(({ row, column }) => Math.abs(row - place.row) + Math.abs(column - place.column) > size >> 1)) chosen.push(place)
  }
  return chosen.map(({ row, column }) => ({ places: pixelsOf(row, column), row, column }))
}
