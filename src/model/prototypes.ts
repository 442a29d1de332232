import type { Rng } from '../core/rng.js'
import { marginSeeds, marginsOf } from './margins.js'
import { boundsOf, type PixelRange } from './pixel-range.js'
import type { SearchedNetwork } from './searched-network.js'

/** Backgrounds that prototypes grow on, between the least and the greatest pixel. */
const backgrounds = [0, 0.5]
const steps = 40
/** A step's root mean square, and the spread of the first noise, as shares of the range of a pixel. */
const stepSize = 0.05
const noise = 0.3
/** A prototype is done when its logit is this far above every other. */
const enough = 4

/**
 * Inputs that stand in for data nobody gave: for each class in `classes`, one on a dark and one on a grey background, smooth noise that
 * was moved along the smoothed gradient of the class's margin until the network is sure of it. `[2·classes, inputLength]`, within `range`.
 */
export async function growPrototypes(
  network: SearchedNetwork,
  { classes, range, rng }: { readonly classes: readonly number[]; readonly range: PixelRange; readonly rng: Rng },
): Promise<Float32Array> {
  const { inputLength, inputShape } = network
  const { low, high } = boundsOf(inputShape, range)
  const targets = backgrounds.flatMap(() => [...classes])
  const count = targets.length
  const rough = Float32Array.from({ length: count * inputLength }, () => rng.normal())
  const x = smooth(rough, inputShape, 3)
  for (let index = 0; index < x.length; index++) {
    const pixel = index % inputLength
    const span = (high[pixel] as number) - (low[pixel] as number)
    const background = backgrounds[Math.floor(index / inputLength / classes.length)] as number
    const value = (low[pixel] as number) + (background + noise * (x[index] as number)) * span
    x[index] = Math.min(high[pixel] as number, Math.max(low[pixel] as number, value))
  }
  for (let step = 0; step < steps; step++) {
    const seeds = marginSeeds(network.classes, (row) => targets[row] as number)
    const { logits, gradient } = await network.gradient(x, seeds)
    const open = targets.map((target, row) => {
      const own = logits.subarray(row * network.classes, (row + 1) * network.classes)
      return (marginsOf(own, network.classes, target)[0] as number) <= enough
    })
    if (!open.includes(true)) break
    const way = smooth(gradient, inputShape, 2)
    for (let row = 0; row < count; row++) {
      if (!open[row]) continue
      const start = row * inputLength
      let squares = 0
      for (let index = start; index < start + inputLength; index++) squares += (way[index] as number) ** 2
      const scale = stepSize / (Math.sqrt(squares / inputLength) || 1)
      for (let pixel = 0; pixel < inputLength; pixel++) {
        const span = (high[pixel] as number) - (low[pixel] as number)
        const value = (x[start + pixel] as number) + scale * span * (way[start + pixel] as number)
        x[start + pixel] = Math.min(high[pixel] as number, Math.max(low[pixel] as number, value))
      }
    }
  }
  return x
}

/** The mean of each pixel and its neighbours, `passes` times; inputs that are no pictures stay as they are. */
function smooth(values: Float32Array, shape: readonly number[], passes: number): Float32Array {
  const [height, width] = shape.slice(-2) as [number, number]
  if (shape.length !== 3) return values.slice()
  let from = values
  for (let pass = 0; pass < passes; pass++) {
    const to = new Float32Array(from.length)
    for (let plane = 0; plane < from.length; plane += height * width) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          let [sum, count] = [0, 0]
          for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row++) {
            for (let col = Math.max(0, x - 1); col <= Math.min(width - 1, x + 1); col++) {
              sum += from[plane + row * width + col] as number
              count++
            }
          }
          to[plane + y * width + x] = sum / count
        }
      }
    }
    from = to
  }
  return from
}
