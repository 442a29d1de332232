import type { Testimony } from './witness.js'

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
  /** The other class that suspected rows of this one seem to be taken from, where the detector looks for it and is sure. */
  readonly sourceClass?: number | null
  /** How the class divides in two, where the detector divides it and the verdict is to weigh it. */
  readonly split?: SplitFinding | null
}

/** A class divided in two: which part may be planted, and what speaks for it, beside the log odds, which are the finding's statistic. */
export interface SplitFinding {
  /** The statistic, log odds of planted against natural, that groups of so many rows of this class would reach if they lay well apart and were unknown to the trusted rows; rising. */
  readonly attainable: readonly { readonly rows: number; readonly logOdds: number }[]
  /** What trusted rows say: log10 of a likelihood ratio, −4 … 3; null where the class has none. */
  readonly trusted: number | null
  /**
   * The other class that the suspected part resembles: how much it has the shape of that class alone, 0 … 1; and the class that its rows seem to
   * be taken from if they were planted, null where it is not sure which.
   */
  readonly source: { readonly weight: number; readonly classIndex: number | null } | null
  /** Which evidence that does not look at the gap between the two says by itself that the part was planted. */
  readonly agrees: { readonly trusted: boolean; readonly source: boolean }
  /** Distance of the two parts in standard deviations of the noisiest group of the set, in rows held out: the largest of any division. */
  readonly separation: number
  /** The suspected part is a blob tighter than what the log odds were fitted to: copies, or frames of one video, or planted. */
  readonly isTight: boolean
  /** The two parts are near half, and no trusted rows tell which belongs. */
  readonly isHalf: boolean
  /** Rows (indices into the set) of the suspected part, most suspicious first, and the posterior of each. */
  readonly suspects: Uint32Array
  readonly posteriors: Float32Array
  /** Share of the class that the suspected part is, with an interval of 90 %. */
  readonly share: { readonly estimate: number; readonly low: number; readonly high: number }
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
      /** What was estimated from rows drawn by the seed, and of which classes, in words; absent where nothing was. */
      readonly sampled?: string
      /** Parallel to the set's classes. */
      readonly classes: readonly ClassFinding[]
    }
  | { readonly status: 'skipped'; readonly id: string; readonly reason: string }
  | { readonly status: 'failed'; readonly id: string; readonly reason: string; readonly cause: unknown }

/** What an audit concludes of a class from all detectors. */
export interface ClassConclusion {
  readonly verdict: 'clean' | 'multimodal' | 'suspicious' | 'poisoned' | 'inconclusive'
  /** Probability that a clean class looks like this, before adjusting for the number of classes; null where no calibrated test was made. */
  readonly pValue: number | null
  /** Poisoned rows / rows of the class, with an interval of 90 %. */
  readonly epsilon: { readonly estimate: number; readonly low: number; readonly high: number } | null
  readonly minDetectableEpsilon: number | null
  /** The class that the suspected rows seem to be taken from. */
  readonly sourceClass: number | null
  /** By whom the class is accused, and of what. */
  readonly accusations: readonly {
    readonly detector: string
    readonly reason: string
    /** Rows (indices into the set), most suspicious first, and the probability that each is poison, or null where it is not known. */
    readonly rows: Uint32Array
    readonly probabilities: Float32Array | null
  }[]
  /** The conclusion in words, where it needs some. */
  readonly says: string | null
  /** What the model said of the suspected part; absent where it was not asked, or had nothing to say. */
  readonly testimony?: Testimony
}
