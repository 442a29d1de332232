import { sha256 } from '@noble/hashes/sha2.js'
import * as z from 'zod/mini'
import { toHex } from '../core/bytes-as-text.js'
import { OptionError } from '../core/errors.js'
import type { Rng } from '../core/rng.js'
import type { CheckedImageSet } from './image-set.js'

/** A picture to blend in: uint8, `[height, width]` or `[height, width, channels]`. */
export const patternOption = z.optional(
  z.object({ data: z.instanceof(Uint8Array), shape: z.array(z.int().check(z.gte(1))) }, { error: 'expected { data: Uint8Array, shape }' }),
)

export type GivenPattern = z.infer<typeof patternOption>

export interface BlendPattern {
  /** Changes one value of a picture to round((1 − α) · value + α · pattern); a half is rounded up. Opacity stays. */
  readonly blendAt: (picture: Uint8Array, at: number, alpha: number) => void
  /** In words. */
  readonly says: string
  /** What stands for the pattern where the options are recorded. */
  readonly record: Readonly<Record<string, unknown>>
}

/**
 * The given pattern, a grey one for every colour channel, or uniform noise over 0 … 255 drawn from `rng`, each channel apart. Throws
 * `OptionError` `bad-option` where its shape is not that of a picture of this set.
 */
export function blendPattern(set: CheckedImageSet, given: GivenPattern, rng: Rng, attack: string): BlendPattern {
  const { channels, pictureLength } = set
  const values = given ? spread(set, given, attack) : Uint8Array.from({ length: pictureLength }, () => rng.uint32() >>> 24)
  return {
    blendAt(picture, at, alpha) {
      if (channels === 4 && at % 4 === 3) return
      picture[at] = Math.round((1 - alpha) * (picture[at] as number) + alpha * (values[at] as number))
    },
    says: given ? `given picture ${given.shape.join('×')}` : 'uniform noise',
    record: given ? { pattern: { shape: given.shape, sha256: toHex(sha256(given.data)) } } : {},
  }
}

function spread({ height, width, channels, pictureLength }: CheckedImageSet, given: NonNullable<GivenPattern>, attack: string): Uint8Array {
  const { data, shape } = given
  const own = shape[2] ?? 1
  const fits = (shape.length === 2 || shape.length === 3) && shape[0] === height && shape[1] === width && (own === 1 || own === channels)
  if (!fits || data.length !== height * width * own) {
    const expected = `[${height}, ${width}] or [${height}, ${width}, ${channels}]`
    throw new OptionError(
      'bad-option',
      `${attack}: pattern: has shape [${shape.join(', ')}] and ${data.length} values, expected ${expected}`,
    )
  }
  if (own === channels) return data
  return Uint8Array.from({ length: pictureLength }, (_, at) => data[Math.floor(at / channels)] as number)
}
