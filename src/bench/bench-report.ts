import type { Label } from '../core/labels.js'
import type { ClassVerdict, Report, ReportVerdict } from '../report/schema.js'
import type { SanitizeRecord } from '../sanitize/record-schema.js'
import type { Reference } from './references.js'
import type { TargetClass } from './truth.js'

/** What the quality bench found: what `assay bench --json` writes. Shares are in [0, 1]; null where a denominator is 0. */
export interface BenchReport {
  readonly schemaVersion: 1
  readonly tool: Report['tool']
  readonly seed: number
  readonly backend: Report['backend']
  readonly scenarios: readonly ScenarioReport[]
  /** Over the poisoned scenarios, one per detector. */
  readonly means: readonly MeanReport[]
  /** The rate that the audits kept to. */
  readonly falseAccusationRate: number
  /** Over the audits of all scenarios: with trusted rows, where a scenario has some, and without. */
  readonly summaries: readonly AuditSummary[]
  /**
   * Computing time in milliseconds, parallel to `scenarios`: what differs from run to run is here and nowhere else. `audits` is parallel to
   * those of the scenario.
   */
  readonly timings: readonly {
    readonly scenario: string
    readonly detectors: Readonly<Record<string, number>>
    readonly audits: readonly number[]
  }[]
}

export interface ScenarioReport {
  readonly name: string
  readonly attack: string | null
  readonly rows: number
  readonly classes: number
  /** The class that holds the poison; null for a clean scenario. */
  readonly target: Omit<TargetClass, 'index'> | null
  readonly detectors: readonly DetectorReport[]
  /** What whole audits say: with trusted rows first, where the scenario has some, then without. */
  readonly audits: readonly AuditScore[]
}

export type DetectorReport =
  | (DetectorScore & { readonly id: string; readonly status: 'ran'; readonly options: unknown; readonly reference: Reference | null })
  | { readonly id: string; readonly status: 'skipped' | 'failed'; readonly reason: string; readonly options: unknown }

/** One detector on one scenario: inside the target class of a poisoned set, over all rows of a clean one. */
export interface DetectorScore {
  /** Area under the ROC curve of the scores. */
  readonly auroc: number | null
  /** Share of the poisoned rows above the threshold that 1 % (5 %) of the clean rows reach. */
  readonly tprAt1PercentFpr: number | null
  readonly tprAt5PercentFpr: number | null
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
  readonly tprAt5PercentFpr: number | null
  readonly tpr: number | null
  readonly fpr: number | null
  readonly poisonedRows: number
  readonly poisonedLeft: number
  /** Scenarios whose target class it accuses, and classes that it accuses although they hold no poison. */
  readonly targetsAccused: number
  readonly cleanClassesAccused: number
}

/** What a whole audit says of a scenario, held against the truth, and what `sanitize` would make of it. */
export interface AuditScore {
  /** Whether it saw the scenario's trusted rows. */
  readonly withTrusted: boolean
  readonly verdict: ReportVerdict
  /** The verdict of the target class; null for a clean set. */
  readonly targetVerdict: ClassVerdict | null
  /** Labels of the classes that are poisoned or suspicious by the verdict. */
  readonly accused: readonly Label[]
  /** Those of them that hold no poison. */
  readonly wronglyAccused: readonly Label[]
  /** Classes without poison, by verdict. */
  readonly cleanClasses: Readonly<Record<ClassVerdict, number>>
  /** Area under the ROC curve of the combined scores: inside the target class, and over all rows. */
  readonly auroc: number | null
  readonly aurocOfAll: number | null
  /** Shares of the poisoned and of the clean rows of the target class that the report flags. */
  readonly tpr: number | null
  readonly fpr: number | null
  /** Share of the clean rows of the whole set that it flags. */
  readonly fprOfAll: number | null
  /** What the report says of ε in the target class, and whether the truth lies in its interval; null where it says nothing. */
  readonly epsilon: { readonly estimate: number; readonly low: number; readonly high: number; readonly covers: boolean } | null
  readonly minDetectableEpsilon: number | null
  /** The source class that it names for the target class. */
  readonly sourceLabel: Label | null
  readonly sanitize: SanitizeScore
}

/** Removing the flagged rows, as `assay sanitize` does by itself: counts are of the whole set. */
export interface SanitizeScore {
  readonly outcome: SanitizeRecord['outcome']
  readonly removedRows: number
  readonly poisonedRows: number
  readonly poisonLeft: number
  readonly cleanLost: number
}

/** Audits of one kind over all scenarios. */
export interface AuditSummary {
  readonly withTrusted: boolean
  readonly poisoned: PoisonedSummary
  readonly clean: CleanSummary
}

export interface PoisonedSummary {
  readonly scenarios: number
  /** Target classes by verdict: poisoned or suspicious; clean or multimodal; inconclusive. */
  readonly targetsAccused: number
  readonly targetsCleared: number
  readonly targetsUndecided: number
  readonly cleanClasses: number
  readonly cleanClassesAccused: number
  /** Means of the rates inside the target class. */
  readonly tpr: number | null
  readonly fpr: number | null
  /** Scenarios whose target class was given an interval for ε, and those in which it holds the truth. */
  readonly epsilons: number
  readonly epsilonsCovered: number
  /** Accused targets whose poison has a single source class; those whose report names it; and all that name another. */
  readonly sources: number
  readonly sourcesRight: number
  readonly sourcesWrong: number
  readonly poisonedRows: number
  readonly poisonLeft: number
  readonly cleanLost: number
}

export interface CleanSummary {
  readonly scenarios: number
  readonly scenariosAccused: number
  readonly scenariosUndecided: number
  readonly classes: number
  readonly classesAccused: number
  readonly cleanLost: number
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
      tprAt5PercentFpr: mean(({ tprAt5PercentFpr }) => tprAt5PercentFpr),
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
