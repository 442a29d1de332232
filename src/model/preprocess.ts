import type { RowImage } from '../core/activation-set.js'
import { InputError, OptionError } from '../core/errors.js'
import type { PixelRange } from './pixel-range.js'

/** How the bytes of a picture become a network's input: (byte · scale − mean) / std, per channel. */
export interface Preprocessing {
  readonly scale: number
  /** One number for all channels, or one for each. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

export const defaultPreprocessing: Preprocessing = { scale: 1 / 255, mean: [0], std: [1] }

/**
 * From options `{scale, mean, std}`, or from a `preprocessor_config.json` as Hugging Face models have it (`do_rescale`, `rescale_factor`,
 * `do_normalize`, `image_mean`, `image_std`; sizes are not looked at: pictures are never resized here). Throws `OptionError` `bad-preprocessing`.
 */
export function parsePreprocessing(json: unknown, where: string): Preprocessing {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new OptionError('bad-preprocessing', `${where}: expected an object such as {"scale": 0.00392, "mean": [0.5], "std": [0.5]}`)
  }
  const given = json as Record<string, unknown>
  const isOfHub = ['do_rescale', 'rescale_factor', 'do_normalize', 'image_mean', 'image_std'].some((key) => key in given)
  if (isOfHub) {
    const normalises = given.do_normalize !== false
    return {
      scale: given.do_rescale === false ? 1 : number(given.rescale_factor ?? 1 / 255, 'rescale_factor', where),
      mean: normalises ? numbers(given.image_mean ?? [0], 'image_mean', where) : [0],
      std: normalises ? positive(numbers(given.image_std ?? [1], 'image_std', where), 'image_std', where) : [1],
    }
  }
  const unknown = Object.keys(given).find((key) => !['scale', 'mean', 'std'].includes(key))
  if (unknown !== undefined) throw new OptionError('bad-preprocessing', `${where}: got '${unknown}', expected scale, mean or std`)
  return {
    scale: number(given.scale ?? defaultPreprocessing.scale, 'scale', where),
    mean: numbers(given.mean ?? [0], 'mean', where),
    std: positive(numbers(given.std ?? [1], 'std', where), 'std', where),
  }
}

function number(value: unknown, key: string, where: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  throw new OptionError('bad-preprocessing', `${where}: ${key} is ${JSON.stringify(value)}, expected a number above 0`)
}

function numbers(value: unknown, key: string, where: string): number[] {
  const list = Array.isArray(value) ? value : [value]
  if (list.length > 0 && list.length <= 16 && list.every((item) => typeof item === 'number' && Number.isFinite(item))) return list
  throw new OptionError(
    'bad-preprocessing',
    `${where}: ${key} is ${JSON.stringify(value)?.slice(0, 80)}, expected a number for each channel`,
  )
}

function positive(list: number[], key: string, where: string): number[] {
  if (list.every((item) => item > 0)) return list
  throw new OptionError('bad-preprocessing', `${where}: ${key} is [${list}], expected numbers above 0`)
}

/** What black and white become. */
export function rangeOf({ scale, mean, std }: Preprocessing): PixelRange {
  const channels = Math.max(mean.length, std.length)
  const at = (value: number) =>
    Array.from(
      { length: channels },
      (_, channel) => (value - (mean[channel] ?? (mean[0] as number))) / (std[channel] ?? (std[0] as number)),
    )
  return { low: at(0), high: at(255 * scale) }
}

/**
 * A picture as the input of a network of `shape`: `[channels, height, width]`, or `[height, width, channels]` where only that fits. Throws
 * `InputError` `bad-shape` for a picture of another size or number of channels, `unsupported-picture` for one that is still compressed.
 */
export function pictureInput(
  picture: RowImage,
  shape: readonly number[],
  { scale, mean, std }: Preprocessing,
  where: string,
): Float32Array {
  if (picture.kind === 'encoded') {
    const message = `${where}: is a compressed picture (${picture.mediaType}), expected pixels; save the pictures as uint8 in images.npz`
    throw new InputError('unsupported-picture', message)
  }
  const { width, height, channels, data } = picture
  const plane = width * height
  const first = shape.length === 3 && shape[0] === channels && shape[1] === height && shape[2] === width
  const last = shape.length === 3 && shape[0] === height && shape[1] === width && shape[2] === channels
  const flat =
    (shape.length === 1 && shape[0] === plane * channels) ||
    (shape.length === 2 && channels === 1 && shape[0] === height && shape[1] === width)
  if (!first && !last && !flat) {
    const got = `${channels}×${height}×${width}`
    throw new InputError(
      'bad-shape',
      `${where}: is a picture of ${got} (channels × height × width), expected ${shape.join('×')}; resize the pictures`,
    )
  }
  const out = new Float32Array(plane * channels)
  for (let pixel = 0; pixel < plane; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const value = Math.fround((data[pixel * channels + channel] as number) * scale)
      const to = first || (flat && channels === 1) ? channel * plane + pixel : pixel * channels + channel
      out[to] = (value - (mean[channel] ?? (mean[0] as number))) / (std[channel] ?? (std[0] as number))
    }
  }
  return out
}
