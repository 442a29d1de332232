import type { Pixels } from './pixels.js'

/**
 * A picture as grey or as RGB, as Pillow's `convert` makes it: grey is repeated, alpha is left aside, and colour becomes luma (ITU-R BT.601
 * in 16-bit fixed point).
 */
export function toChannels(picture: Pixels, channels: 1 | 3): Pixels {
  const { width, height, channels: given, data } = picture
  if (given === channels) return picture
  const out = new Uint8Array(width * height * channels)
  for (let pixel = 0; pixel < width * height; pixel++) {
    const from = pixel * given
    const at = (channel: number) => data[from + (given === 1 ? 0 : channel)] as number
    if (channels === 1) out[pixel] = (at(0) * 19_595 + at(1) * 38_470 + at(2) * 7_471 + 0x8000) >> 16
    else for (let channel = 0; channel < 3; channel++) out[pixel * 3 + channel] = at(channel)
  }
  return { width, height, channels, data: out }
}
