import { medianInPlace } from '../stats/median.js'
import type { Region, TriggerView } from '../views/report-view.js'
import { type Pictures, shrink, viewPixels } from './pictures.js'
import type { Pixels } from './png.js'

/** Flagged pictures that are compared, and pictures that each may be matched with. */
const mostFlagged = 200
const mostCandidates = 1_000
/** Fewer show nothing that could not be chance. */
const leastPictures = 3
/** Longer sides are shrunk to this before pictures are compared, and to this before the most alike is looked for. */
const comparedPixels = 96
const matchedPixels = 16
/** A region ends where the difference is less sure than this share of its surest place; larger ones than this share of the picture are none. */
const regionEdge = 0.5
const largestRegion = 0.35

/** Rows whose pictures are compared. */
export interface TriggerRows {
  /** Most suspicious first. */
  readonly flagged: readonly number[]
  /** Rows to match them with, by class: those of the first class with pictures enough are taken. */
  readonly candidates: readonly { readonly index: number; readonly rows: readonly number[] }[]
}

/**
 * What flagged pictures have and others have not: each flagged picture less the candidate most like it (least squares on pictures shrunk to
 * 16 pixels, each less its mean), less the median of that difference, which is exposure. Of these: mean, median, and at each
 * pixel mean / √(variance/pairs + s²), s being the picture's median standard error, so that no pixel passes for sure because it hardly varies.
 * The region is what hangs together around the surest pixel. Null where there are not three pictures on both sides, of one size.
 */
export async function triggerPicture(pictures: Pictures, { flagged, candidates }: TriggerRows): Promise<TriggerView | null> {
  const suspects = await readSome(pictures, flagged, mostFlagged)
  const first = suspects[0]
  if (!first || suspects.length < leastPictures) return null
  for (const { index, rows } of candidates) {
    const others = (await readSome(pictures, rows, mostCandidates)).filter((one) => isLike(one, first))
    if (others.length < leastPictures) continue
    return compare(
      suspects.filter((one) => isLike(one, first)),
      others,
      index,
    )
  }
  return null
}

/** The first `most` pictures of raw pixels that there are. */
async function readSome(pictures: Pictures, rows: readonly number[], most: number): Promise<Pixels[]> {
  const read: Pixels[] = []
  for (const row of rows) {
    if (read.length === most) break
    const pixels = await pictures.readPixels(row)
    if (pixels) read.push(pixels)
  }
  return read
}

const isLike = (a: Pixels, b: Pixels) => a.width === b.width && a.height === b.height && a.channels === b.channels

async function compare(suspects: readonly Pixels[], others: readonly Pixels[], matchedClass: number): Promise<TriggerView> {
  const { width, height } = suspects[0] as Pixels
  const matched = matchEach(suspects, others)
  const flagged = suspects.map((one) => shrink(one, comparedPixels))
  const partners = matched.map((one) => shrink(one, comparedPixels))
  const size = flagged[0] as Pixels
  const differences = flagged.map((one, pair) => difference(one, partners[pair] as Pixels))
  const mean = meanOf(differences)
  const median = medianOf(differences)
  const sure = consistency(differences, mean, size.channels)
  const found = surestRegion(sure, size)
  const scale = { x: width / size.width, y: height / size.height }
  const region = found && {
    top: Math.floor(found.top * scale.y),
    bottom: Math.ceil(found.bottom * scale.y),
    left: Math.floor(found.left * scale.x),
    right: Math.ceil(found.right * scale.x),
  }
  const picture = (data: Float64Array) => viewPixels({ ...size, data: Uint8Array.from(data, (value) => Math.round(value)) })
  const surest = sure.reduce((most, value) => Math.max(most, value), 0) || 1
  const usual = medianOf(flagged.map(({ data }) => Float64Array.from(data)))
  return {
    pairs: suspects.length,
    matchedClass,
    meanFlagged: await picture(meanOf(flagged.map(({ data }) => Float64Array.from(data)))),
    meanMatched: await picture(meanOf(partners.map(({ data }) => Float64Array.from(data)))),
    meanDifference: await picture(stretched(mean)),
    medianDifference: await picture(stretched(median)),
    consistency: await viewPixels({ ...size, channels: 1, data: Uint8Array.from(sure, (value) => Math.round((255 * value) / surest)) }),
    region,
    closeUp: found && (await viewPixels(crop({ ...size, data: Uint8Array.from(usual, Math.round) }, withMargin(found, size)))),
    width,
    height,
  }
}

/** For each suspect the candidate most like it. */
function matchEach(suspects: readonly Pixels[], others: readonly Pixels[]): Pixels[] {
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
    return others[best] as Pixels
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

function meanOf(pictures: readonly Float64Array[]): Float64Array {
  const sum = new Float64Array((pictures[0] as Float64Array).length)
  for (const picture of pictures) for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (picture[at] as number)
  return sum.map((value) => value / pictures.length)
}

function medianOf(pictures: readonly Float64Array[]): Float64Array {
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

/** A difference as grey levels: 128 where there is none, the largest at an end of the range. */
function stretched(values: Float64Array): Float64Array {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1
  return values.map((value) => 127.5 + (127.5 * value) / largest)
}

/** The region and half as much around it. */
function withMargin({ top, bottom, left, right }: Region, { width, height }: { width: number; height: number }): Region {
  const margin = Math.ceil(Math.max(bottom - top, right - left) / 2)
  return {
    top: Math.max(0, top - margin),
    bottom: Math.min(height, bottom + margin),
    left: Math.max(0, left - margin),
    right: Math.min(width, right + margin),
  }
}

function crop({ width, channels, data }: Pixels, { top, bottom, left, right }: Region): Pixels {
  const out = new Uint8Array((bottom - top) * (right - left) * channels)
  for (let y = top; y < bottom; y++) {
    out.set(data.subarray((y * width + left) * channels, (y * width + right) * channels), (y - top) * (right - left) * channels)
  }
  return { width: right - left, height: bottom - top, channels, data: out }
}
