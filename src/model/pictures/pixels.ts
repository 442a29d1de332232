import { InputError } from '../../core/errors.js'

/** A decoded picture: rows from the top, `channels` bytes a pixel (grey, RGB or RGBA). */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3 | 4
  readonly data: Uint8Array
}

/** Pixels of one picture, at most: what Pillow holds for a decompression bomb (a quarter of a GiB at three bytes a pixel). */
export const maxPixels = 89_478_485

/** Throws `InputError` `bad-picture` for an empty picture, `too-large` for one of more than `maxPixels`. Asked before anything is allocated. */
export function checkSize({ width, height }: { readonly width: number; readonly height: number }, where: string): void {
  if (width < 1 || height < 1) throw badPicture(where, `it has ${width}×${height} pixels`)
  if (width * height > maxPixels) {
    throw new InputError('too-large', `${where}: has ${width}×${height} pixels, expected at most ${maxPixels}; make it smaller`, {
      width,
      height,
    })
  }
}

const maxFileBytes = 2 ** 28

/** Throws `InputError` `too-large` for a picture's file of more than 256 MiB. */
export function checkFileSize(byteLength: number, where: string): void {
  if (byteLength <= maxFileBytes) return
  throw new InputError('too-large', `${where}: has ${byteLength} bytes, expected at most ${maxFileBytes}; is it one picture?`)
}

export function badPicture(where: string, what: string, cause?: unknown): InputError {
  return new InputError('bad-picture', `${where}: is damaged: ${what}; replace it, or take it out`, {}, cause)
}

export function unsupportedPicture(where: string, what: string, expected: string): InputError {
  return new InputError('unsupported-picture', `${where}: is ${what}, expected ${expected}; convert it`)
}
