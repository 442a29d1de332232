import * as z from 'zod/mini'
import { earlyGram } from '../kernels/gram.js'
import type { ScanOptions } from './detect-scan.js'
import type { Detector } from './detector.js'

export type { ScanOptions }

const options: z.ZodMiniType<ScanOptions> = z.strictObject({
  directions: z._default(z.int().check(z.gte(1), z.lte(64)), 30),
  minRows: z._default(z.int().check(z.gte(4)), 20),
  fitRows: z._default(z.int().check(z.gte(100)), 5000),
})

/**
 * SCAn (Tang, Wang, Tang & Zhang, "Demon in the Variant", USENIX Security 2021, §4). A row is its class's identity and a variation whose
 * covariance S all classes share. Per class: the likelihood ratio J of two identities against one, S being given; J/n of all classes is
 * then held against their median, and e² robust standard deviations (1.4826·MAD) above it is contamination.
 *
 * S is the within-class covariance of the trusted rows, where there are three a column of them, which for classes of one size is what the
 * paper's EM converges to; otherwise the mean of the other classes' own. With S given, J/n = p·(1 − p)·δᵀ·S⁻¹·δ for a share p and a
 * distance δ of the means, so the most likely split is that of 2-means in rows whitened by S, here in the `directions` along which the
 * class varies most compared with S. With fewer than three classes the statistic is J/n itself, without a threshold; where the MAD is 0 see
 * `robustDeviations`.
 *
 * A row's score is how far it lies from the clean side's mean towards the other one, in standard deviations of S; which side is the
 * suspicious one, `suspiciousSide` says. Flagged is that side, in classes from e² on. It accuses no class.
 *
 * In classes of more than `fitRows` rows (5,000) the groups are those of so many, drawn by the seed; every row is scored, and cut off halfway
 * between them.
 *
 * Options: `directions` 1 … 64, `minRows` ≥ 4, `fitRows` ≥ 100. Cost: one pass for the covariances, 4·d³ a class for the directions (less beyond d = 768),
 * one pass for coordinates, about 40 runs of 2-means a class on the host.
 */
export const scan: Detector<ScanOptions> = {
  id: 'scan',
  title: 'SCAn',
  citation:
    'Tang, Wang, Tang, Zhang: Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor Contamination Detection. USENIX Security 2021, §4',
  needs: ['activations', 'labels'],
  options,
  early: earlyGram,
  detect: async (...args) => (await import('./on-demand.js')).onDemand.scan(...args),
}
