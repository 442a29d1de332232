import * as z from 'zod/mini'
import { earlyGram } from '../kernels/gram.js'
import { fewestRows } from '../linalg/class-split.js'
import type { ExreLiteOptions } from './detect-exre-lite.js'
import type { Detector } from './detector.js'

export type { ExreLiteOptions }

const options: z.ZodMiniType<ExreLiteOptions> = z.strictObject({
  directions: z._default(z.int().check(z.gte(2), z.lte(64)), 30),
  minRows: z._default(z.int().check(z.gte(2 * fewestRows)), 30),
  fitRows: z._default(z.int().check(z.gte(100)), 10_000),
})

/**
 * Exclusionary reclassification (Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", SafeAI 2019, §5)
 * with a linear head in place of a network that is trained again: per class, a head that has not seen the suspected part says where the
 * part's rows belong. To their own class: a natural sub-group. To one other class: rows of that class under a wrong label, which is their source.
 *
 * The head is linear discriminant analysis on the classes' mean covariance, every class as likely as any other; the part's mean is left out of its
 * class's, and so is what lies between the two (a rank-one change, exact by Sherman and Morrison); the scatter within the part stays. The
 * part is the one that `whitenedMixture` suspects, from the same divisions, which one audit makes once.
 *
 * The statistic is p/(p + l): p of the part's rows go to the one other class that most go to, l to their own; the paper's l/p below 1 is more
 * than ½. The p-value is binomial: that of so many going there if they went as the rest of the class does. Flagged is the part where the
 * statistic is ½ or more and the p-value 1 % or less. A row's score is the log odds of the part against the rest of its class in a head
 * that has the part for a class of its own. Where rows stay, since the network has moved them all the way to their target, the source may
 * still show: the class that the way from the rest of its own to the part points at, by its cosine. It accuses no class.
 *
 * Options: `directions` 2 … 64 of the mixtures, `minRows` ≥ 10, `fitRows` ≥ 100 (10,000: of larger classes the part is found in so many
 * drawn rows, and cut out of all). Cost beside the divisions: one pass for the parts' means, one for scores,
 * d³/6 + K·d² for the head of K classes, n·d·17 for the rows.
 */
export const exreLite: Detector<ExreLiteOptions> = {
  id: 'exre-lite',
  title: 'Exclusionary reclassification (lite)',
  citation:
    'Chen et al.: Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering. SafeAI 2019, §5 (with a linear head)',
  needs: ['activations', 'labels'],
  options,
  early: earlyGram,
  detect: async (...args) => (await import('./on-demand.js')).onDemand.exreLite(...args),
}
