import { InputError } from '../core/errors.js'
import type { Images } from './array-source.js'
import { type ByteSource, readBytes } from './byte-source.js'
import type { FileArray } from './file-array.js'

/** An array in C order whose bytes begin at `dataStart`. */
export interface PixelLayout extends Pick<FileArray, 'dtype' | 'shape'> {
  readonly dataStart: number
}

/**
 * Pictures that lie one after another in an array `[n, h, w]` or `[n, h, w, c]` of uint8, with 1, 3 or 4 channels. A picture is read from
 * `source`, which the caller has found to have them all, when it is asked for. Throws `InputError` `bad-type` or `bad-shape`.
 */
export function pixelImages(source: ByteSource, { dtype, shape, dataStart }: PixelLayout, where: string): Images {
  if (dtype !== 'uint8') {
    const mend = 'save pictures as numbers from 0 to 255 (array.astype(numpy.uint8)), or under another name'
    throw new InputError('bad-type', `${where}: holds ${dtype}, expected uint8; ${mend}`, { dtype })
  }
  const [count, height, width, channels = 1] = shape
  const channelsAreRight = channels === 1 || channels === 3 || channels === 4
  if (!count || !height || !width || shape.length > 4 || !channelsAreRight) {
    const mend = 'put the channels last, or save them under another name'
    throw new InputError(
      'bad-shape',
      `${where}: has shape [${shape.join(', ')}], expected [n, height, width] or [n, height, width, 1, 3 or 4]; ${mend}`,
      { shape },
    )
  }
  const byteLength = height * width * channels
  return {
    count,
    async read(index) {
      const start = dataStart + index * byteLength
      return { kind: 'pixels', width, height, channels, data: await readBytes(source, start, start + byteLength, where) }
    },
  }
}
