import type { Rng } from '../core/rng.js'
import type { CheckedImageSet } from './image-set.js'

/** Where each pixel of a warped picture is taken from: rows and columns, fractions allowed, always inside the picture. */
export interface WarpField {
  /** `[height · width]` */
  readonly y: Float64Array
  readonly x: Float64Array
}

export interface WarpOptions {
  /** Control points along each side. */
  readonly grid: number
  readonly strength: number
  readonly upsampling: 'bicubic' | 'bilinear'
}

/**
 * The warping field of WaNet (Nguyen & Tran 2021, §3.2): grid × grid control points uniform in [−1, 1], for rows and columns, divided by their
 * mean absolute value, upsampled to the picture and scaled. As in the authors' code, corners lie on corners, and an offset of u moves a
 * pixel by strength · u · (size − 1) / (2 · size): about half a pixel for strength 1 and u = 1.
 */
export function warpField({ height, width }: CheckedImageSet, { grid, strength, upsampling }: WarpOptions, rng: Rng): WarpField {
  const control = Float64Array.from({ length: 2 * grid * grid }, () => 2 * rng.float() - 1)
  const mean = control.reduce((sum, value) => sum + Math.abs(value), 0) / control.length
  const upsample = (part: Float64Array) => resize(part, { grid, height, width, taps: upsampling === 'bicubic' ? cubicTaps : linearTaps })
  const [right, down] = [upsample(control.subarray(0, grid * grid)), upsample(control.subarray(grid * grid))]
  const [toY, toX] = [(strength * (height - 1)) / (2 * height * mean), (strength * (width - 1)) / (2 * width * mean)]
  return {
    y: down.map((value, at) => within(Math.floor(at / width) + toY * value, height)),
    x: right.map((value, at) => within((at % width) + toX * value, width)),
  }
}

/** The noise mode's field (§3.3): every pixel goes astray by itself, by up to half a pixel, drawn anew for each picture. */
export function disturbedField({ y, x }: WarpField, { height, width }: CheckedImageSet, rng: Rng): WarpField {
  const offset = (size: number) => ((2 * rng.float() - 1) * (size - 1)) / (2 * size)
  return { y: y.map((value) => within(value + offset(height), height)), x: x.map((value) => within(value + offset(width), width)) }
}

/** Takes each pixel of a picture from where the field says, by bilinear sampling, in place; rounded to the nearest whole number, a half up. */
export function warp(picture: Uint8Array, { y, x }: WarpField, { height, width, channels }: CheckedImageSet): void {
  const before = new Uint8Array(picture)
  for (let pixel = 0; pixel < y.length; pixel++) {
    const [fromY, fromX] = [y[pixel] as number, x[pixel] as number]
    const [top, left] = [Math.floor(fromY), Math.floor(fromX)]
    const [bottom, right] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)]
    const [down, across] = [fromY - top, fromX - left]
    for (let channel = 0; channel < channels; channel++) {
      const at = (row: number, column: number) => before[(row * width + column) * channels + channel] as number
      const above = at(top, left) * (1 - across) + at(top, right) * across
      const below = at(bottom, left) * (1 - across) + at(bottom, right) * across
      picture[pixel * channels + channel] = Math.round(above * (1 - down) + below * down)
    }
  }
}

const within = (value: number, size: number) => Math.min(size - 1, Math.max(0, value))

type Taps = (fraction: number) => readonly (readonly [offset: number, weight: number])[]

const linearTaps: Taps = (t) => [
  [0, 1 - t],
  [1, t],
]

/** Keys' cubic convolution with a = −0.75, as PyTorch upsamples. */
const cubicTaps: Taps = (t) => {
  const a = -0.75
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
  return [
    [-1, far(t + 1)],
    [0, near(t)],
    [1, near(1 - t)],
    [2, far(2 - t)],
  ]
}

interface Resize {
  readonly grid: number
  readonly height: number
  readonly width: number
  readonly taps: Taps
}

/** `[grid, grid]` → `[height, width]`, corner on corner; control points beyond the edge are those of the edge. */
function resize(control: Float64Array, { grid, height, width, taps }: Resize): Float64Array {
  const along = (size: number) =>
    Array.from({ length: size }, (_, at) => {
      const from = size === 1 ? 0 : (at * (grid - 1)) / (size - 1)
      const base = Math.min(Math.floor(from), grid - 1)
      return taps(from - base).map(([offset, weight]) => [within(base + offset, grid), weight] as const)
    })
  const [rows, columns] = [along(height), along(width)]
  const out = new Float64Array(height * width)
  for (const [i, down] of rows.entries()) {
    for (const [j, across] of columns.entries()) {
      let sum = 0
      for (const [row, weight] of down)
        for (const [column, other] of across) sum += weight * other * (control[row * grid + column] as number)
      out[i * width + j] = sum
    }
  }
  return out
}
