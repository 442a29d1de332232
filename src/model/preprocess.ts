import { InputError } from '../core/errors.js'
import { centreCrop } from './pictures/centre-crop.js'
import { toChannels } from './pictures/channels.js'
import { checkSize, type Pixels } from './pictures/pixels.js'
import { type Filter, resize } from './pictures/resize.js'
import type { PixelRange } from './pixel-range.js'

export interface PictureSize {
  readonly width: number
  readonly height: number
}

/**
 * How a picture becomes a network's input: converted, resized, its middle cut out, and each byte made (byte · scale − mean) / std, per
 * channel; each step where it is asked for.
 */
export interface Preprocessing {
  /** `rgb`, or nothing; `model`: to RGB or grey where the model takes three channels or one. */
  readonly convert: 'model' | 'rgb' | 'none'
  /** To a size, or until the shorter edge has so many pixels. */
  readonly resize: ((PictureSize | { readonly shortestEdge: number }) & { readonly filter: Filter }) | null
  readonly crop: PictureSize | null
  readonly scale: number
  /** One number for all channels, or one for each. */
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

export const defaultPreprocessing: Preprocessing = { convert: 'model', resize: null, crop: null, scale: 1 / 255, mean: [0], std: [1] }

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
 * A picture with the channels that a network of `shape` takes (see `pictureInput`), resized and cropped. Throws `InputError` `too-large` where it would be resized to
 * more than `maxPixels`, `bad-shape` for an alpha channel that is kept.
 */
export function preparePicture(picture: Pixels, shape: readonly number[], preprocessing: Preprocessing, where: string): Pixels {
  const { convert, resize: size, crop } = preprocessing
  const channels = channelsOf(shape)
  const wanted = convert === 'rgb' ? 3 : convert === 'model' && (channels === 1 || channels === 3) ? channels : null
  const converted = wanted === null ? picture : toChannels(picture, wanted)
  if (!size && !crop) return converted
  if (converted.channels === 4) {
    const message = `${where}: has an alpha channel that the model takes, expected none where pictures are resized; resize them beforehand`
    throw new InputError('bad-shape', message)
  }
  let resized = converted
  if (size) {
    const to = 'shortestEdge' in size ? withShortestEdge(converted, size.shortestEdge) : size
    checkSize(to, `${where}: resized`)
    resized = resize(converted, to, size.filter)
  }
  return crop ? centreCrop(resized, crop) : resized
}

/**
 * A picture that was prepared as the input of a network of `shape`: `[channels, height, width]`, or `[height, width, channels]` where only that fits. Throws
 * `InputError` `bad-shape` where it has another size or number of channels.
 */
export function pictureInput(picture: Pixels, shape: readonly number[], preprocessing: Preprocessing, where: string): Float32Array {
  const { width, height, channels, data } = picture
  const { scale, mean, std } = preprocessing
  const plane = width * height
  const first = shape.length === 3 && shape[0] === channels && shape[1] === height && shape[2] === width
  const last = shape.length === 3 && shape[0] === height && shape[1] === width && shape[2] === channels
  const flat =
    (shape.length === 1 && shape[0] === plane * channels) ||
    (shape.length === 2 && channels === 1 && shape[0] === height && shape[1] === width)
  if (!first && !last && !flat) throw wrongShape(picture, shape, where)
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

/** The channels that inputs of a shape have; null where any will do. */
function channelsOf(shape: readonly number[]): number | null {
  if (shape.length === 2) return 1
  const isChannels = (size: number | undefined) => size === 1 || size === 3 || size === 4
  const [first, , last] = shape
  if (shape.length !== 3) return null
  return (isChannels(first) ? first : last) ?? null
}

/** As `transformers.image_transforms.get_resize_output_image_size` has it: the longer edge is cut to a whole number. */
function withShortestEdge({ width, height }: PictureSize, edge: number): PictureSize {
  const longer = Math.trunc((edge * Math.max(width, height)) / Math.min(width, height))
  return width <= height ? { width: edge, height: longer } : { width: longer, height: edge }
}

function wrongShape({ width, height, channels }: Pixels, shape: readonly number[], where: string): InputError {
  const got = `${channels}×${height}×${width}`
  const message = `${where}: is a picture of ${got} (channels × height × width), expected ${shape.join('×')}; say how pictures are prepared, such as --preprocess '{"size": {"height": 224, "width": 224}}'`
  return new InputError('bad-shape', message, { got: [channels, height, width], expected: [...shape] })
}
