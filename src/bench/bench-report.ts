import type { Label } from '../core/labels.js'
import type { Report } from '../report/schema.js'
import type { Reference } from './references.js'

/** What the quality bench found: what `assay bench --json` writes. Shares are in [0, 1]; null where a denominator is 0. */
export interface BenchReport {
  readonly schemaVersion: 1
  readonly tool: Report['tool']
  readonly seed: number
  readonly backend: Report['backend']
  readonly scenarios: readonly ScenarioReport[]
  /** Over the poisoned scenarios, one per detector. */
  readonly means: readonly MeanReport[]
  /** Computing time, parallel to `scenarios`: what differs from run to run is here and nowhere else. */
  readonly timings: readonly { readonly scenario: string; readonly detectors: Readonly<Record<string, number>> }[]
}

export interface ScenarioReport {
  readonly name: string
  readonly attack: string | null
  readonly rows: number
  readonly classes: number
  /** The class that holds the poison; null for a clean scenario. */
  readonly target: { readonly label: Label; readonly rows: number; readonly poisonedRows: number; readonly epsilon: number } | null
  readonly detectors: readonly DetectorReport[]
}

export type DetectorReport =
  | (DetectorScore & { readonly id: string; readonly status: 'ran'; readonly options: unknown; readonly reference: Reference | null })
  | { readonly id: string; readonly status: 'skipped' | 'failed'; readonly reason: string; readonly options: unknown }

/** One detector on one scenario: inside the target class of a poisoned set, over all rows of a clean one. */
export interface DetectorScore {
  /** Area under the ROC curve of the scores. */
  readonly auroc: number | null
  /** Share of the poisoned rows above the threshold that 1 % of the clean rows reach. */
  readonly tprAt1PercentFpr: number | null
  /** Flagged shares of the poisoned and of the clean rows, at the detector's own cut. */
  readonly tpr: number | null
  readonly fpr: number | null
  /** Rows past the detector's own cut. */
  readonly flaggedRows: number
  /** `flaggedRows` / rows looked at. */
  readonly flaggedShare: number
  /** Poisoned rows of the target class that are left when the flagged ones are removed. */
  readonly poisonedLeft: number | null
  /** What the detector decides by in the target class; null for a clean set. */
  readonly statistic: number | null
  /** Labels of the classes that it accuses in the verdict, anywhere in the set. */
  readonly accused: readonly Label[]
  readonly targetAccused: boolean | null
}

/** A detector over the poisoned scenarios that it could judge: means over those where the figure is to be had. */
export interface MeanReport {
  readonly id: string
  readonly scenarios: number
  readonly auroc: number | null
  readonly tprAt1PercentFpr: number | null
  readonly tpr: number | null
  readonly fpr: number | null
  readonly poisonedRows: number
  readonly poisonedLeft: number
  /** Scenarios whose target class it accuses, and classes that it accuses although they hold no poison. */
  readonly targetsAccused: number
  readonly cleanClassesAccused: number
}

/** Averages each detector over the poisoned scenarios, in the order in which detectors first appear. */
export function meansOf(scenarios: readonly ScenarioReport[]): MeanReport[] {
  const ids = [...new Set(scenarios.flatMap(({ detectors }) => detectors.map(({ id }) => id)))]
  return ids.map((id) => {
    const ran = scenarios.flatMap(({ target, detectors }) => {
      const found = detectors.find((detector) => detector.id === id)
      return target && found?.status === 'ran' ? [{ target, score: found }] : []
    })
    const mean = (pick: (score: DetectorScore) => number | null) => meanOf(ran.map(({ score }) => pick(score)))
    const sum = (pick: (entry: (typeof ran)[number]) => number) => ran.reduce((total, entry) => total + pick(entry), 0)
    return {
      id,
      scenarios: ran.length,
      auroc: mean(({ auroc }) => auroc),
      tprAt1PercentFpr: mean(({ tprAt1PercentFpr }) => tprAt1PercentFpr),
      tpr: mean(({ tpr }) => tpr),
      fpr: mean(({ fpr }) => fpr),
      poisonedRows: sum(({ target }) => target.poisonedRows),
      poisonedLeft: sum(({ score }) => score.poisonedLeft ?? 0),
      targetsAccused: sum(({ score }) => (score.targetAccused ? 1 : 0)),
      cleanClassesAccused: sum(({ score }) => score.accused.length - (score.targetAccused ? 1 : 0)),
    }
  })
}

/** The mean of the values that are there; null where none is. */
export function meanOf(values: readonly (number | null)[]): number | null {
  const there = values.filter((value) => value !== null)
  return there.length === 0 ? null : there.reduce((sum, value) => sum + value, 0) / there.length
}
