import { viewPixels } from '../exhibits/pictures.js'
import type { Pixels } from '../exhibits/png.js'
import { boundsOf, type PixelRange } from './pixel-range.js'
import type { AppliedTrigger, RecoveredTrigger } from './recover-trigger.js'
import type { SearchedNetwork } from './searched-network.js'

/** A trigger for people to look at, as `data:` URLs of PNG files; sides of more than 96 pixels are shrunk to that. */
export interface TriggerPictures {
  /** An input that the trigger sends to its class, as it was, and with the trigger. */
  readonly clean: string
  readonly triggered: string
  /** A patch on grey; of a change what is added, grey where that is nothing, stretched to the full range. */
  readonly trigger: string
  /** What the network takes that input for without the trigger. */
  readonly cleanClass: number
}

/** A recovered trigger with pictures of it; null where inputs are no pictures of one or three channels, or none is sent. */
export type ShownTrigger = RecoveredTrigger & { readonly pictures: TriggerPictures | null }

/** Adds pictures of the trigger on one of the inputs `tried`. */
export async function showTrigger(network: SearchedNetwork, applied: AppliedTrigger, inputs: ShownInputs): Promise<ShownTrigger> {
  return { ...applied.trigger, pictures: await picturesOf(network, applied, inputs) }
}

interface ShownInputs {
  readonly tried: Float32Array
  readonly range: PixelRange
}

async function picturesOf(
  network: SearchedNetwork,
  { trigger, apply }: AppliedTrigger,
  { tried, range }: ShownInputs,
): Promise<TriggerPictures | null> {
  const { inputShape, inputLength, classes } = network
  const [channels, height, width] = inputShape
  const { example } = trigger.trial
  if (inputShape.length !== 3 || (channels !== 1 && channels !== 3) || !height || !width || example === null) return null
  const { low, high } = boundsOf(inputShape, range)
  const show = async (shareOf: (index: number) => number) => {
    const plane = height * width
    const data = new Uint8Array(inputLength)
    for (let index = 0; index < inputLength; index++) {
      data[(index % plane) * channels + Math.floor(index / plane)] = Math.round(255 * Math.min(1, Math.max(0, shareOf(index))))
    }
    const pixels: Pixels = { width, height, channels, data }
    return (await viewPixels(pixels)).url
  }
  const shareOfRange = (value: number, index: number) =>
    (value - (low[index] as number)) / ((high[index] as number) - (low[index] as number))
  const clean = tried.slice(example * inputLength, (example + 1) * inputLength)
  const triggered = apply(clean)
  const logits = await network.logits(clean)
  return {
    clean: await show((index) => shareOfRange(clean[index] as number, index)),
    triggered: await show((index) => shareOfRange(triggered[index] as number, index)),
    trigger: await show(trigger.pixels ? patchOnGrey(trigger.pixels, inputShape, shareOfRange) : stretchedChange(apply, { low, high })),
    cleanClass: [...new Array(classes).keys()].reduce((best, c) => ((logits[c] as number) > (logits[best] as number) ? c : best), 0),
  }
}

function patchOnGrey(
  pixels: readonly { readonly at: readonly number[]; readonly value: number }[],
  [, height = 0, width = 0]: readonly number[],
  shareOfRange: (value: number, index: number) => number,
): (index: number) => number {
  const set = new Map(
    pixels.map(({ at: [channel = 0, row = 0, column = 0], value }) => {
      const index = (channel * height + row) * width + column
      return [index, shareOfRange(value, index)] as const
    }),
  )
  return (index) => set.get(index) ?? 0.5
}

/** What is added to a picture in the middle of the range, of which nothing is cut off. */
function stretchedChange(
  apply: (inputs: Float32Array) => Float32Array,
  { low, high }: { readonly low: Float32Array; readonly high: Float32Array },
): (index: number) => number {
  const middle = low.map((value, index) => (value + (high[index] as number)) / 2)
  const added = apply(middle).map(
    (value, index) => (value - (middle[index] as number)) / ((high[index] as number) - (low[index] as number)),
  )
  const largest = added.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1
  return (index) => 0.5 + (0.5 * (added[index] as number)) / largest
}
