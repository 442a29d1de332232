import type { Region, TriggerView } from '../views/report-view.js'
import { compareToLookalikes, meanOf, medianOf } from './look-alikes.js'
import { type Pictures, viewPixels } from './pictures.js'
import type { Pixels } from './png.js'

/** Flagged pictures that are compared, and pictures that each may be matched with. */
const mostFlagged = 200
const mostCandidates = 1_000
/** Fewer show nothing that could not be chance. */
const leastPictures = 3

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
  const { suspects: flagged, partners, mean, median, sure, region: found, fullRegion } = compareToLookalikes(suspects, others)
  const size = flagged[0] as Pixels
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
    region: fullRegion,
    closeUp: found && (await viewPixels(crop({ ...size, data: Uint8Array.from(usual, Math.round) }, withMargin(found, size)))),
    width,
    height,
  }
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
