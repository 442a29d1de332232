import type { Classifier } from './classifier.js'
import { boundsOf, type PixelRange } from './pixel-range.js'
import type { SearchedNetwork } from './searched-network.js'

/** Blocks of pixels that are moved together at most, and by which share of a pixel's range. */
const mostBlocks = 200
const step = 0.05

/**
 * A model that can only be run, to be searched like one that can be differentiated: its gradient is estimated by finite differences, with blocks of pixels
 * moved together, each channel for itself, so that a gradient takes as many forward passes as there are blocks, and one. Each pixel of a block
 * gets its share of the block's slope. `products` is what planning takes for one forward pass.
 */
export async function estimatedNetwork(
  classifier: Classifier,
  { range, products }: { readonly range: PixelRange; readonly products: number },
): Promise<SearchedNetwork> {
  const { inputShape, inputLength } = classifier
  const { low, high } = boundsOf(inputShape, range)
  const blocks = blocksOf(inputShape)
  const classes = (await classifier.logits(low.slice())).length
  return {
    inputShape,
    inputLength,
    classes,
    products,
    gradientPasses: blocks.length + 1,
    logits: (x) => classifier.logits(x),
    async gradient(x, seed) {
      const logits = await classifier.logits(x)
      const seeds = seed(logits)
      const gradient = new Float32Array(x.length)
      for (const block of blocks) {
        const moved = x.slice()
        for (let start = 0; start < x.length; start += inputLength) {
          for (const pixel of block)
            moved[start + pixel] = (moved[start + pixel] as number) + step * ((high[pixel] as number) - (low[pixel] as number))
        }
        const after = await classifier.logits(moved)
        for (let row = 0; row * inputLength < x.length; row++) {
          let difference = 0
          for (let at = row * classes; at < (row + 1) * classes; at++) {
            difference += (seeds[at] as number) * ((after[at] as number) - (logits[at] as number))
          }
          for (const pixel of block) {
            const span = (high[pixel] as number) - (low[pixel] as number)
            gradient[row * inputLength + pixel] = difference / (step * span * block.length)
          }
        }
      }
      return { logits, gradient }
    },
  }
}

/** Squares of a picture, of each channel; runs of numbers of other inputs. */
function blocksOf(shape: readonly number[]): number[][] {
  const length = shape.reduce((product, size) => product * size, 1)
  const [channels, height, width] = shape.length === 3 ? (shape as [number, number, number]) : [1, 1, length]
  let side = 1
  const count = () => channels * Math.ceil(height / side) * Math.ceil(width / side)
  while (count() > mostBlocks && side < Math.max(height, width)) side++
  const blocks = new Map<number, number[]>()
  for (let pixel = 0; pixel < length; pixel++) {
    const [channel, y, x] = [Math.floor(pixel / (height * width)), Math.floor((pixel % (height * width)) / width), pixel % width]
    const key = (channel * height + Math.floor(y / side)) * width + Math.floor(x / side)
    const block = blocks.get(key)
    if (block) block.push(pixel)
    else blocks.set(key, [pixel])
  }
  return [...blocks.values()]
}
