/** What a detector says of one class. */
export type ClassFinding = RanFinding | SkippedFinding

export interface RanFinding {
  readonly status: 'ran'
  /** The number the detector decides by. */
  readonly statistic: number
  /** What `statistic` is held against, null where the detector has no rule of its own. */
  readonly threshold: number | null
  readonly pValue: number | null
  /** The finding in words. */
  readonly says: string
  /** Rows (indices into the set) past the detector's own cut, most suspicious first. */
  readonly flagged: Uint32Array
  /** Present where the finding bears on the verdict: the rows accused and why, in words. */
  readonly accusation: { readonly rows: Uint32Array; readonly reason: string } | null
}

export interface SkippedFinding {
  readonly status: 'skipped'
  readonly reason: string
}

/** A detector's answer over a whole set. Higher scores are more suspicious. */
export type DetectorResult =
  | {
      readonly status: 'ran'
      readonly id: string
      /** `[n]`, one per row in the set's own order, finite; rows of skipped classes hold the lowest score. */
      readonly scores: Float32Array
      /** Where scores are standard deviations from what counts as clean, they compare across classes; otherwise within a class only. */
      readonly unit?: 'standard deviations'
      /** Parallel to the set's classes. */
      readonly classes: readonly ClassFinding[]
    }
  | { readonly status: 'skipped'; readonly id: string; readonly reason: string }
  | { readonly status: 'failed'; readonly id: string; readonly reason: string; readonly cause: unknown }
