import { compareToLookalikes } from '../exhibits/look-alikes.js'
import type { Pixels } from '../exhibits/png.js'
import type { Region } from '../views/report-view.js'

/** What sets the pictures of a suspected part apart, to be laid over others; and the same of pictures matched to them. */
export interface Mark {
  /** In words, as the beginning of a sentence. */
  readonly says: string
  /** The host with the suspected part's, or with the matched part's; `pair` says of which of its pictures. */
  readonly suspected: (host: Pixels, pair: number) => Pixels
  readonly matched: (host: Pixels, pair: number) => Pixels
}

/**
 * The mark that `suspects` have and the most alike of `others` have not. Where the difference hangs together it is that region of each picture, as it
 * is; else the mean difference, added. `majority` are the matched pictures: the same region of them, or what sets them apart from the most
 * alike of `others`, made as large as the suspects'. All pictures are of one size.
 */
export function markOf(suspects: readonly Pixels[], majority: readonly Pixels[], others: readonly Pixels[]): Mark {
  const own = compareToLookalikes(suspects, [...majority, ...others])
  const region = own.fullRegion
  if (region) {
    const { top, bottom, left, right } = region
    const paste = (donors: readonly Pixels[]) => (host: Pixels, pair: number) =>
      pasted(host, donors[pair % donors.length] as Pixels, region)
    return {
      says: `what the suspected rows have in rows ${top} to ${bottom - 1} and columns ${left} to ${right - 1} of the picture`,
      suspected: paste(suspects),
      matched: paste(majority),
    }
  }
  const control = compareToLookalikes(majority, others)
  const small = own.suspects[0] as Pixels
  const scale = lengthOf(own.mean) / (lengthOf(control.mean) || 1)
  return {
    says: 'the mean difference of the suspected rows from pictures like them, added',
    suspected: (host) => added(host, own.mean, small),
    matched: (host) =>
      added(
        host,
        control.mean.map((value) => scale * value),
        small,
      ),
  }
}

function pasted(host: Pixels, donor: Pixels, { top, bottom, left, right }: Region): Pixels {
  const data = host.data.slice()
  for (let row = top; row < bottom; row++) {
    const [start, end] = [(row * host.width + left) * host.channels, (row * host.width + right) * host.channels]
    data.set(donor.data.subarray(start, end), start)
  }
  return { ...host, data }
}

/** The host and a difference that is given on a picture shrunk to `small`. */
function added(host: Pixels, difference: Float64Array, small: Pixels): Pixels {
  const { width, height, channels } = host
  const data = new Uint8Array(host.data.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = Math.floor((y * small.height) / height) * small.width + Math.floor((x * small.width) / width)
      for (let channel = 0; channel < channels; channel++) {
        const at = (y * width + x) * channels + channel
        data[at] = Math.min(255, Math.max(0, Math.round((host.data[at] as number) + (difference[from * channels + channel] as number))))
      }
    }
  }
  return { ...host, data }
}

function lengthOf(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
}
