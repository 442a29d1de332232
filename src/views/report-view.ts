import type { Report } from '../report/schema.js'

/**
 * What a report's views draw: the report itself, and for classes worth looking at what can be seen of them. Plain data, made once beside the
 * audit (`viewReport`), so that it can cross from a worker to a page, or into a file.
 */
export interface ReportView {
  readonly report: Report
  /** The classes that are shown in detail, the most suspicious first. */
  readonly classes: readonly ClassView[]
  /** Classes that are only listed, as there are too many. */
  readonly moreClasses: number
  /** Pictures that were to be shown and are damaged. */
  readonly damagedPictures: number
}

export interface ClassView {
  /** Index into the report's classes. */
  readonly index: number
  /** Null where the class has too few rows, or none that differ, to draw. */
  readonly scatter: ScatterView | null
  /** Null where rows have no scores. */
  readonly histogram: HistogramView | null
  /** The first of its flagged rows, most suspicious first, and how many there are in all. */
  readonly flagged: readonly RowView[]
  readonly flaggedRows: number
  /** Rows of the class that are not flagged and nearest to the middle of those. */
  readonly typical: readonly RowView[]
  readonly trigger: TriggerView | null
  readonly tokens: TokensView | null
}

export interface RowView {
  readonly row: number
  /** Combined suspicion, 0 … 1. */
  readonly score: number | null
  readonly probability: number | null
  readonly picture: PictureView | null
  readonly text: string | null
}

export interface PictureView {
  /** A `data:` URL of a raster picture. */
  readonly url: string
  /** Of raw pixels; null for a picture file as it came. */
  readonly width: number | null
  readonly height: number | null
}

/** What a point is: order is that of drawing, and shapes tell them apart. */
export const pointKinds = ['other', 'source', 'own', 'flagged'] as const
export type PointKind = (typeof pointKinds)[number]

export interface ScatterView {
  /** What the axes are: `evidence` parts flagged rows from the rest of the class; `principal` are the two leading directions. */
  readonly axes: 'evidence' | 'principal'
  /** Rows of the class that are drawn, of all. */
  readonly drawn: number
  readonly rows: number
  /** Ends of both axes, in standard deviations of the class (evidence: within the flagged rows and the rest), 0 at the mean of what is not flagged. */
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
  /** Base64, little-endian, an entry a point: position along each axis, 0 … 65535 (uint16). */
  readonly packedX: string
  readonly packedY: string
  /** Row in the set (uint32), class as an index into the report's (uint16), index into `pointKinds` (uint8). */
  readonly packedRow: string
  readonly packedClass: string
  readonly packedKind: string
  /** Combined suspicion, 0 … 255 (uint8); empty where rows have none. */
  readonly packedScore: string
}

export interface HistogramView {
  readonly low: number
  readonly high: number
  /** Rows in each of equal bins from `low` to `high`. */
  readonly flagged: readonly number[]
  readonly unflagged: readonly number[]
  /** The lowest score of a flagged row, and how many rows that are not flagged reach it; null where none is flagged. */
  readonly cut: { readonly score: number; readonly unflaggedAbove: number } | null
}

/** What flagged pictures have and those that resemble them do not. */
export interface TriggerView {
  /** Flagged pictures, each compared with the picture not flagged that is most like it. */
  readonly pairs: number
  /** Index into the report's classes of the class that those are of. */
  readonly matchedClass: number
  readonly meanFlagged: PictureView
  readonly meanMatched: PictureView
  /** Differences, grey where there is none, stretched so that the largest fills the range. */
  readonly meanDifference: PictureView
  readonly medianDifference: PictureView
  /** How sure the difference is at each place, brightest where it is most alike in all pairs. */
  readonly consistency: PictureView
  /** Where it sits: half-open rows and columns of the picture. Null where it is spread over most of it. */
  readonly region: Region | null
  /** The median of the flagged pictures there and a little around, from close by. */
  readonly closeUp: PictureView | null
  readonly width: number
  readonly height: number
}

export interface Region {
  readonly top: number
  readonly bottom: number
  readonly left: number
  readonly right: number
}

/** Words and phrases that flagged texts have more often than texts like them. */
export interface TokensView {
  readonly flaggedTexts: number
  readonly comparedTexts: number
  /** Index into the report's classes of what was compared beside the rest of the class; null where only that was. */
  readonly sourceClass: number | null
  readonly tokens: readonly {
    readonly token: string
    /** Share of the flagged texts, and the higher of the shares of those compared, that have it. */
    readonly flagged: number
    readonly compared: number
  }[]
}
