import type { Pixels } from './pixels.js'

/** The middle of a picture; what lies beyond it is black. The odd row and column are taken as `transformers.image_transforms.center_crop` does. */
export function centreCrop(picture: Pixels, { width, height }: { readonly width: number; readonly height: number }): Pixels {
  if (width === picture.width && height === picture.height) return picture
  const { channels } = picture
  const left = Math.floor((picture.width - width) / 2)
  const top = Math.floor((picture.height - height) / 2)
  const data = new Uint8Array(width * height * channels)
  const from = Math.max(0, left)
  const to = Math.min(picture.width, left + width)
  for (let y = Math.max(0, top); y < Math.min(picture.height, top + height); y++) {
    const line = picture.data.subarray((y * picture.width + from) * channels, (y * picture.width + to) * channels)
    data.set(line, ((y - top) * width + from - left) * channels)
  }
  return { width, height, channels, data }
}
