import type { RowImage, RowImages } from '../core/activation-set.js'
import { toBase64 } from '../core/bytes-as-text.js'
import { InputError } from '../core/errors.js'
import type { PictureView } from '../views/report-view.js'
import { encodePng, type Pixels } from './png.js'

/** Longer sides are shrunk to this: pictures are shown small. */
const mostPixels = 96
/** Picture files are shown as they are, unless they would swell the report. */
const mostEncodedBytes = 200_000

/** The pictures of a set by row. A damaged one counts as missing, and is counted. */
export class Pictures {
  readonly #images: RowImages
  readonly #pictureOf: ReadonlyMap<number, number> | null
  readonly #damaged = new Set<number>()

  constructor(images: RowImages) {
    this.#images = images
    this.#pictureOf = images.rows ? new Map(Array.from(images.rows, (row, picture) => [row, picture])) : null
  }

  get damaged(): number {
    return this.#damaged.size
  }

  has(row: number): boolean {
    return !this.#damaged.has(row) && (this.#pictureOf?.has(row) ?? true)
  }

  async read(row: number): Promise<RowImage | null> {
    if (!this.has(row)) return null
    try {
      return await this.#images.read(this.#pictureOf?.get(row) ?? row)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      this.#damaged.add(row)
      return null
    }
  }

  /** Raw pixels, without an alpha channel; null where the row has no picture, or a picture file. */
  async readPixels(row: number): Promise<Pixels | null> {
    const image = await this.read(row)
    return image?.kind === 'pixels' ? withoutAlpha(image) : null
  }

  async view(row: number): Promise<PictureView | null> {
    const image = await this.read(row)
    if (!image) return null
    if (image.kind === 'pixels') return viewPixels(image)
    if (image.data.length > mostEncodedBytes) return null
    return { url: `data:${image.mediaType};base64,${toBase64(image.data)}`, width: null, height: null }
  }
}

export async function viewPixels(pixels: Pixels): Promise<PictureView> {
  const small = shrink(pixels, mostPixels)
  return { url: `data:image/png;base64,${toBase64(await encodePng(small))}`, width: small.width, height: small.height }
}

function withoutAlpha({ width, height, channels, data }: Pixels): Pixels {
  if (channels !== 4) return { width, height, channels, data }
  const out = new Uint8Array(width * height * 3)
  for (let at = 0; at < width * height; at++) out.set(data.subarray(4 * at, 4 * at + 3), 3 * at)
  return { width, height, channels: 3, data: out }
}

/** The picture with its longer side at most `most`, each pixel the mean of those it stands for; as it is where it is no larger. */
export function shrink(pixels: Pixels, most: number): Pixels {
  const { channels, data } = pixels
  const scale = most / Math.max(pixels.width, pixels.height)
  if (scale >= 1) return pixels
  const width = Math.max(1, Math.round(pixels.width * scale))
  const height = Math.max(1, Math.round(pixels.height * scale))
  const out = new Uint8Array(width * height * channels)
  for (let y = 0; y < height; y++) {
    const [top, bottom] = [Math.floor((y * pixels.height) / height), Math.ceil(((y + 1) * pixels.height) / height)]
    for (let x = 0; x < width; x++) {
      const [left, right] = [Math.floor((x * pixels.width) / width), Math.ceil(((x + 1) * pixels.width) / width)]
      for (let c = 0; c < channels; c++) {
        let sum = 0
        for (let v = top; v < bottom; v++) for (let u = left; u < right; u++) sum += data[(v * pixels.width + u) * channels + c] as number
        out[(y * width + x) * channels + c] = Math.round(sum / ((bottom - top) * (right - left)))
      }
    }
  }
  return { width, height, channels, data: out }
}
