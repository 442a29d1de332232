import { logBetaBinomial } from '../stats/binomial.js'
import type { SplitEvidence } from './split-evidence.js'

/**
 * How far the share of a natural group among trusted rows strays from its share among training rows: a distribution over the `strength` a of
 * Beta(a, a·(1 − share)/share), from which the share is drawn. A large one means as close as counting allows; a small one that
 * rows come in bunches (frames of one video, one writer's digits) that are in one of the two and not in the other.
 */
export interface TrustedDrift {
  readonly strengths: readonly number[]
  /** Parallel; they add up to 1. */
  readonly weights: readonly number[]
}

const strengths = [0.25, 0.5, 1, 2, 4, 8, 16, 32]
/** Log-normal about 4 with standard deviation 1: what is assumed where there is nothing to learn from. */
const logPrior = strengths.map((strength) => -(Math.log(strength / 4) ** 2) / 2)

export type TrustedCounts = Pick<SplitEvidence, 'share' | 'trustedRows' | 'trustedBeyond'>

/**
 * For every class the drift that the divisions of all other classes show, each class counting for one: empirical Bayes on a grid. `divisions`:
 * one list a class.
 */
export function trustedDrifts(divisions: readonly (readonly TrustedCounts[])[]): TrustedDrift[] {
  const own = divisions.map(logLikelihoods)
  const all = strengths.map((_, i) => own.reduce((sum, values) => sum + (values[i] as number), logPrior[i] as number))
  return own.map((values) => normalised(all.map((sum, i) => sum - (values[i] as number))))
}

function logLikelihoods(divisions: readonly TrustedCounts[]): number[] {
  const known = divisions.filter(({ trustedRows }) => trustedRows > 0)
  return strengths.map((strength) => {
    const sum = known.reduce((total, division) => {
      const { share, inGroup, trustedRows } = smallerSide(division)
      return total + logBetaBinomial(inGroup, trustedRows, strength, (strength * (1 - share)) / share)
    }, 0)
    return sum / Math.max(known.length, 1)
  })
}

function smallerSide({ share, trustedRows, trustedBeyond }: TrustedCounts) {
  const inGroup = Math.round(trustedBeyond)
  const isSmaller = share <= 1 / 2
  return {
    share: Math.max(isSmaller ? share : 1 - share, 1e-4),
    inGroup: isSmaller ? inGroup : trustedRows - inGroup,
    trustedRows,
  }
}

function normalised(logWeights: readonly number[]): TrustedDrift {
  const largest = Math.max(...logWeights)
  const weights = logWeights.map((value) => Math.exp(value - largest))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return { strengths, weights: weights.map((weight) => weight / sum) }
}
