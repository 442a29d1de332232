import { medianInPlace } from '../stats/median.js'
import type { Region } from '../views/report-view.js'
import { shrink } from './pictures.js'
import type { Pixels } from './png.js'

/** Longer sides are shrunk to this before pictures are compared, and to this before the most alike is looked for. */
const comparedPixels = 96
const matchedPixels = 16
/** A region ends where the difference is less sure than this share of its surest place; larger ones than this share of the picture are none. */
const regionEdge = 0.5
const largestRegion = 0.35

/** Pictures held against those most like them. */
export interface Comparison {
  /** For each suspect, which of the others is most like it. */
  readonly matched: readonly number[]
  /** Suspects and their look-alikes, shrunk. */
  readonly suspects: readonly Pixels[]
  readonly partners: readonly Pixels[]
  /** What suspects have and look-alikes have not, at each channel of each pixel of a shrunk picture. */
  readonly mean: Float64Array
  readonly median: Float64Array
  /** How sure that is at each pixel. */
  readonly sure: Float64Array
  /** What hangs together around the surest pixel, in pixels of the shrunk pictures and of those that were given; null where that is most of the picture. */
  readonly region: Region | null
  readonly fullRegion: Region | null
}

/**
 * Holds each of `suspects` against the most alike of `others` (least squares on pictures shrunk to 16 pixels, each less its mean): the
 * difference, less its median, which is exposure. Of these: mean, median, and at each pixel mean / √(variance/pairs + s²), s being the
 * picture's median standard error, so that no pixel passes for sure because it hardly varies. All pictures are of one size; at least two suspects.
 */
export function compareToLookalikes(suspects: readonly Pixels[], others: readonly Pixels[]): Comparison {
  const matched = matchEach(suspects, others)
  const small = suspects.map((one) => shrink(one, comparedPixels))
  const partners = matched.map((at) => shrink(others[at] as Pixels, comparedPixels))
  const { width, height } = suspects[0] as Pixels
  const size = small[0] as Pixels
  const differences = small.map((one, pair) => difference(one, partners[pair] as Pixels))
  const mean = meanOf(differences)
  const sure = consistency(differences, mean, size.channels)
  const region = surestRegion(sure, size)
  const scale = { x: width / size.width, y: height / size.height }
  const fullRegion = region && {
    top: Math.floor(region.top * scale.y),
    bottom: Math.ceil(region.bottom * scale.y),
    left: Math.floor(region.left * scale.x),
    right: Math.ceil(region.right * scale.x),
  }
  return { matched, suspects: small, partners, mean, median: medianOf(differences), sure, region, fullRegion }
}

/** For each suspect the candidate most like it. */
function matchEach(suspects: readonly Pixels[], others: readonly Pixels[]): number[] {
  const small = (one: Pixels) => {
    const { data } = shrink(one, matchedPixels)
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length
    return Float64Array.from(data, (value) => value - mean)
  }
  const candidates = others.map(small)
  return suspects.map((suspect) => {
    const own = small(suspect)
    let [best, least] = [0, Number.POSITIVE_INFINITY]
    for (const [at, candidate] of candidates.entries()) {
      let distance = 0
      for (let i = 0; i < own.length && distance < least; i++) distance += ((own[i] as number) - (candidate[i] as number)) ** 2
      if (distance < least) [best, least] = [at, distance]
    }
    return best
  })
}

/** a − b at each channel of each pixel, less the median of each channel. */
function difference(a: Pixels, b: Pixels): Float64Array {
  const out = Float64Array.from(a.data, (value, at) => value - (b.data[at] as number))
  for (let channel = 0; channel < a.channels; channel++) {
    const usual = medianInPlace(out.filter((_, at) => at % a.channels === channel))
    for (let at = channel; at < out.length; at += a.channels) out[at] = (out[at] as number) - usual
  }
  return out
}

export function meanOf(pictures: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array((pictures[0] as Float64Array).length)
  for (const picture of pictures) for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (picture[at] as number)
  return sum.map((value) => value / pictures.length)
}

export function medianOf(pictures: readonly Float64Array[]): Float64Array {
  const values = new Float64Array(pictures.length)
  return (pictures[0] as Float64Array).map((_, at) => {
    for (const [i, picture] of pictures.entries()) values[i] = picture[at] as number
    return medianInPlace(values)
  })
}

/** How sure the difference is at each pixel: the largest of its channels, never negative. */
function consistency(differences: readonly Float64Array[], mean: Float64Array, channels: number): Float64Array {
  const pairs = differences.length
  const error = mean.map((value, at) => {
    let squares = 0
    for (const one of differences) squares += ((one[at] as number) - value) ** 2
    return Math.sqrt(squares / (pairs - 1) / pairs)
  })
  // A grey level of the 256 is the least that a standard error is taken for.
  const usual = Math.max(medianInPlace(error.slice()), 1 / Math.sqrt(pairs))
  const sure = new Float64Array(mean.length / channels)
  for (const [at, value] of mean.entries()) {
    const pixel = Math.floor(at / channels)
    sure[pixel] = Math.max(sure[pixel] as number, Math.abs(value) / Math.hypot(error[at] as number, usual))
  }
  return sure
}

/** What hangs together (over edges and corners) around the surest pixel. Null where that is most of the picture, or nothing is sure. */
export function surestRegion(sure: Float64Array, { width, height }: { width: number; height: number }): Region | null {
  let surest = 0
  for (const [at, value] of sure.entries()) if (value > (sure[surest] as number)) surest = at
  const edge = regionEdge * (sure[surest] as number)
  if (!(edge > 0)) return null
  const seen = new Set([surest])
  for (const at of seen) {
    const [x, y] = [at % width, Math.floor(at / width)]
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        if ((sure[v * width + u] as number) >= edge) seen.add(v * width + u)
      }
    }
  }
  // A trigger that is spread out is as sure in many places that do not touch.
  const everywhere = sure.reduce((count, value) => count + (value >= edge ? 1 : 0), 0)
  if (seen.size > largestRegion * sure.length || seen.size < everywhere / 2) return null
  const xs = [...seen].map((at) => at % width)
  const ys = [...seen].map((at) => Math.floor(at / width))
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs) + 1, Math.min(...ys), Math.max(...ys) + 1]
  return { top, bottom, left, right }
}
