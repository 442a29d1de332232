import { marginSeeds, marginsOf, meanOf } from './margins.js'
import type { Network } from './network/network.js'
import { boundsOf, type PixelRange } from './pixel-range.js'

/** One small change of every pixel that pulls all inputs to a class: what blended triggers are. */
export interface FoundPerturbation {
  readonly target: number
  readonly margin: number
  readonly gain: number
  readonly successRate: number
  /** What is added to an input before it is cut to the range. */
  readonly change: Float32Array
}

const steps = 6

/**
 * Looks for a universal perturbation of at most `share` of a pixel's range (Moosavi-Dezfooli et al., CVPR 2017) towards `target`, by the
 * signs of the mean gradient over `inputs: [n, inputLength]`: three whole steps, then thirds.
 */
export function searchPerturbation(
  network: Network,
  inputs: Float32Array,
  target: number,
  { range, share = 0.1 }: { readonly range: PixelRange; readonly share?: number },
): FoundPerturbation {
  const { inputLength, inputShape, classes } = network
  const { low, high } = boundsOf(inputShape, range)
  const seeds = marginSeeds(classes, () => target)
  let change = new Float32Array(inputLength)
  let before: Float64Array | null = null
  let best: FoundPerturbation | null = null
  for (let step = 0; step <= steps; step++) {
    const { logits, gradient } = network.gradient(perturb(inputs, change, { low, high }), seeds)
    const after = marginsOf(logits, classes, target)
    const margin = meanOf(after)
    const plain: Float64Array = before ?? after
    if (before && (!best || margin > best.margin)) {
      const others = plain.filter((value) => value <= 0).length
      const turned = after.filter((value, index) => value > 0 && (plain[index] as number) <= 0).length
      best = { target, margin, gain: margin - meanOf(plain), successRate: others === 0 ? 0 : turned / others, change: change.slice() }
    }
    before = plain
    const size = step < 3 ? share : share / 3
    change = change.map((value, pixel) => {
      let slope = 0
      for (let start = 0; start < gradient.length; start += inputLength) slope += gradient[start + pixel] as number
      const span = (high[pixel] as number) - (low[pixel] as number)
      return Math.min(share * span, Math.max(-share * span, value + size * span * Math.sign(slope)))
    })
  }
  return best as FoundPerturbation
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
