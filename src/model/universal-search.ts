import { marginSeeds, marginsOf, meanOf } from './margins.js'
import { boundsOf, type PixelRange } from './pixel-range.js'
import type { SearchedNetwork } from './searched-network.js'

/** One small change of every pixel that pulls all inputs to a class: what blended triggers are, and what makes a class easy to reach for others. */
export interface FoundPerturbation {
  readonly target: number
  /** Mean over the inputs of the target's logit less the greatest other, with the change on them. */
  readonly margin: number
  /** By how much the change raises that mean. */
  readonly gain: number
  /** Share of the inputs that the network takes for the target with the change, among those it takes for another class without it. */
  readonly successRate: number
  /** What is added to an input before it is cut to the range. */
  readonly change: Float32Array
}

/** Steps of the whole size first, then of a smaller one. */
const wholeSteps = 3
const steps = 10
const smallStep = 0.4

/**
 * Looks for a universal perturbation (Moosavi-Dezfooli et al., CVPR 2017) of at most `size` towards `target`, along the mean gradient over
 * `inputs: [n, inputLength]`. `size` is a root mean square over the pixels, as a share of their range: a fourteenth of it is a patch of two
 * black pixels turned white in a picture of 28×28, or every pixel changed by 18 of 255.
 */
export async function searchPerturbation(
  network: SearchedNetwork,
  inputs: Float32Array,
  target: number,
  { range, size = 1 / 14 }: { readonly range: PixelRange; readonly size?: number },
): Promise<FoundPerturbation> {
  const { inputLength, inputShape, classes } = network
  const bounds = boundsOf(inputShape, range)
  const spans = bounds.low.map((low, pixel) => (bounds.high[pixel] as number) - low)
  const radius = size * Math.sqrt(inputLength)
  const seeds = marginSeeds(classes, () => target)
  const shares = new Float64Array(inputLength) // of a pixel's range
  let change = new Float32Array(inputLength)
  let before: Float64Array | null = null
  let best: FoundPerturbation | null = null
  for (let step = 0; step <= steps; step++) {
    const { logits, gradient } = await network.gradient(perturb(inputs, change, bounds), seeds)
    const after = marginsOf(logits, classes, target)
    const margin = meanOf(after)
    const plain: Float64Array = before ?? after
    if (before && (!best || margin > best.margin)) {
      const others = plain.filter((value) => value <= 0).length
      const turned = after.filter((value, index) => value > 0 && (plain[index] as number) <= 0).length
      best = { target, margin, gain: margin - meanOf(plain), successRate: others === 0 ? 0 : turned / others, change }
    }
    before = plain
    const slope = new Float64Array(inputLength)
    for (let index = 0; index < gradient.length; index++) {
      const pixel = index % inputLength
      slope[pixel] = (slope[pixel] as number) + (gradient[index] as number) * (spans[pixel] as number)
    }
    const stride = ((step < wholeSteps ? 1 : smallStep) * radius) / (lengthOf(slope) || 1)
    for (let pixel = 0; pixel < inputLength; pixel++) shares[pixel] = (shares[pixel] as number) + stride * (slope[pixel] as number)
    const shrink = Math.min(1, radius / (lengthOf(shares) || 1))
    for (let pixel = 0; pixel < inputLength; pixel++) shares[pixel] = (shares[pixel] as number) * shrink
    change = Float32Array.from(shares, (share, pixel) => share * (spans[pixel] as number))
  }
  return best as FoundPerturbation
}

function lengthOf(vector: Float64Array): number {
  return Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
}

/** The inputs with the change on them, within the range. */
export function perturb(
  inputs: Float32Array,
  change: Float32Array,
  { low, high }: { readonly low: Float32Array; readonly high: Float32Array },
): Float32Array {
  return inputs.map((value, index) => {
    const pixel = index % change.length
    return Math.min(high[pixel] as number, Math.max(low[pixel] as number, value + (change[pixel] as number)))
  })
}
