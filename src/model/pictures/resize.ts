import type { Pixels } from './pixels.js'

// Pillow's resizing (src/libImaging/Resample.c and Geometry.c), to the bit: the filter is stretched by the shrink factor, coefficients are
// whole numbers of 2⁻²², and pixels are rounded to 8 bits between the passes, the horizontal one first.

export type Filter = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos'

interface Kernel {
  /** How far from its centre it is not 0, in pixels. */
  readonly support: number
  readonly at: (x: number) => number
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI))

const kernels: Readonly<Record<Exclude<Filter, 'nearest'>, Kernel>> = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, at: (x) => (Math.abs(x) >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI))) },
  bicubic: { support: 2, at: (x) => cubic(Math.abs(x), -0.5) },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
}

/** The cubic convolution of Keys (1981) for x ≥ 0. */
function cubic(x: number, a: number): number {
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
}

const fractionBits = 22

/** For each pixel of a resized line, the pixels of the line that it is made of and their weights. */
interface Weights {
  readonly starts: Int32Array
  readonly counts: Int32Array
  /** `[size, stride]` */
  readonly weights: Int32Array
  readonly stride: number
}

/**
 * A picture of one or three channels at another size, as `PIL.Image.resize` makes it. Sizes are checked by the caller.
 */
export function resize(picture: Pixels, { width, height }: { readonly width: number; readonly height: number }, filter: Filter): Pixels {
  if (filter === 'nearest') return nearest(picture, { width, height })
  const kernel = kernels[filter]
  const narrowed = width === picture.width ? picture : resizeRows(picture, weightsOf(picture.width, width, kernel))
  return height === picture.height ? narrowed : resizeColumns(narrowed, weightsOf(picture.height, height, kernel))
}

function weightsOf(from: number, to: number, { support, at }: Kernel): Weights {
  const scale = from / to
  const stretch = Math.max(scale, 1)
  const reach = support * stretch
  const stride = Math.ceil(reach) * 2 + 1
  const starts = new Int32Array(to)
  const counts = new Int32Array(to)
  const weights = new Int32Array(to * stride)
  const line = new Float64Array(stride)
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale
    const start = Math.max(0, Math.trunc(centre - reach + 0.5))
    const count = Math.min(from, Math.trunc(centre + reach + 0.5)) - start
    let sum = 0
    for (let j = 0; j < count; j++) {
      line[j] = at((j + start - centre + 0.5) * (1 / stretch))
      sum += line[j] as number
    }
    starts[i] = start
    counts[i] = count
    for (let j = 0; j < count; j++) {
      const weight = (line[j] as number) / (sum === 0 ? 1 : sum)
      weights[i * stride + j] = Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * 2 ** fractionBits)
    }
  }
  return { starts, counts, weights, stride }
}

/** |Σ weights| · 255 stays below 2³¹: the sums of |weights| are at most 1.4 · 2²². */
const half = 2 ** (fractionBits - 1)
const toByte = (sum: number) => Math.min(255, Math.max(0, sum >> fractionBits))

function resizeRows({ width: from, height, channels, data }: Pixels, { starts, counts, weights, stride }: Weights): Pixels {
  const width = starts.length
  const out = new Uint8Array(width * height * channels)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const start = (y * from + (starts[x] as number)) * channels
      const count = counts[x] as number
      for (let channel = 0; channel < channels; channel++) {
        let sum = half
        for (let j = 0; j < count; j++) sum += (data[start + j * channels + channel] as number) * (weights[x * stride + j] as number)
        out[(y * width + x) * channels + channel] = toByte(sum)
      }
    }
  }
  return { width, height, channels, data: out }
}

function resizeColumns({ width, channels, data }: Pixels, { starts, counts, weights, stride }: Weights): Pixels {
  const height = starts.length
  const line = width * channels
  const out = new Uint8Array(height * line)
  const sums = new Int32Array(line)
  for (let y = 0; y < height; y++) {
    sums.fill(half)
    const count = counts[y] as number
    for (let j = 0; j < count; j++) {
      const weight = weights[y * stride + j] as number
      const start = ((starts[y] as number) + j) * line
      for (let i = 0; i < line; i++) sums[i] = (sums[i] as number) + (data[start + i] as number) * weight
    }
    for (let i = 0; i < line; i++) out[y * line + i] = toByte(sums[i] as number)
  }
  return { width, height, channels, data: out }
}

function nearest({ width: fromWidth, height: fromHeight, channels, data }: Pixels, { width, height }: { width: number; height: number }) {
  const columns = nearestOf(fromWidth, width)
  const rows = nearestOf(fromHeight, height)
  const out = new Uint8Array(width * height * channels)
  let at = 0
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * fromWidth + column) * channels
      for (let channel = 0; channel < channels; channel++) out[at++] = data[from + channel] as number
    }
  }
  return { width, height, channels, data: out }
}

/** Pillow adds the step up, and so does this: the sums are not those of a product. */
function nearestOf(from: number, to: number): Int32Array {
  const step = from / to
  let at = step * 0.5
  return Int32Array.from({ length: to }, () => {
    const pixel = Math.min(from - 1, Math.trunc(at))
    at += step
    return pixel
  })
}
