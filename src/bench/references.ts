import * as z from 'zod/mini'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

/** What another implementation of a detector reached on a scenario: shares in [0, 1], null where it was not reported. */
export interface Reference {
  readonly auroc: number | null
  readonly tpr: number | null
  readonly fpr: number | null
  readonly poisonedLeft: number | null
  /** Flagged share of the class's rows; for activation clustering the relative size of the smaller cluster. */
  readonly flaggedShare: number | null
  /** The number that the detector decides by; for activation clustering the silhouette. */
  readonly statistic: number | null
}

export interface ScenarioReferences {
  /** ε as the reference was told it; null where it does not say. */
  readonly epsilon: number | null
  /** By detector id. */
  readonly detectors: ReadonlyMap<string, Reference>
}

const maybeNumber = z.optional(z.nullable(z.number()))
const shareAboveZero = z.optional(z.nullable(z.number().check(z.gt(0), z.lte(1))))
const rates = z.optional(z.looseObject({ auroc: maybeNumber, tpr: maybeNumber, fpr: maybeNumber, poisons_left: maybeNumber }))
const resultsSchema = z.record(
  z.string(),
  z.looseObject({
    spectral_signatures: z.optional(z.looseObject({ eps_used: shareAboveZero, target_label: rates, all_labels: rates })),
    activation_clustering_pca: z.optional(
      z.looseObject({
        target_label: z.optional(
          z.looseObject({ tpr: maybeNumber, fpr: maybeNumber, relative_size: maybeNumber, silhouette: maybeNumber }),
        ),
        all_labels_smaller_cluster: rates,
      }),
    ),
  }),
)

const nothing: Reference = { auroc: null, tpr: null, fpr: null, poisonedLeft: null, flaggedShare: null, statistic: null }

/**
 * Reads reference results (`results.json`), by scenario name. Poisoned scenarios have figures for the target class, clean ones the false
 * positive rate over all rows. Throws `InputError` `bad-json` naming the first field that is not as expected.
 */
export function parseReferences(value: unknown, where: string): ReadonlyMap<string, ScenarioReferences> {
  const parsed = resultsSchema.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const field = showText(issue?.path.join('.') ?? '', 200)
    throw new InputError('bad-json', `${where}: ${field}: ${issue?.message}; expected reference results by scenario`)
  }
  return new Map(
    Object.entries(parsed.data).map(([name, { spectral_signatures: spectral, activation_clustering_pca: clustering }]) => {
      const detectors = new Map<string, Reference>()
      const { target_label: target, all_labels: all } = spectral ?? {}
      if (target) {
        const { auroc = null, tpr = null, fpr = null, poisons_left: poisonedLeft = null } = target
        detectors.set('spectral-signatures', { ...nothing, auroc, tpr, fpr, poisonedLeft })
      } else if (all) detectors.set('spectral-signatures', { ...nothing, fpr: all.fpr ?? null })
      const { target_label: inTarget, all_labels_smaller_cluster: everywhere } = clustering ?? {}
      if (inTarget) {
        const { tpr = null, fpr = null, relative_size: flaggedShare = null, silhouette: statistic = null } = inTarget
        detectors.set('activation-clustering', { ...nothing, tpr, fpr, flaggedShare, statistic })
      } else if (everywhere) detectors.set('activation-clustering', { ...nothing, fpr: everywhere.fpr ?? null })
      return [name, { epsilon: spectral?.eps_used ?? null, detectors }]
    }),
  )
}
