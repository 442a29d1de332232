import * as z from 'zod/mini'
import { earlyDirections } from '../linalg/top-eigenvectors.js'
import type { ActivationClusteringOptions } from './detect-activation-clustering.js'
import type { Detector } from './detector.js'

export type { ActivationClusteringOptions }

const options: z.ZodMiniType<ActivationClusteringOptions> = z.strictObject({
  projection: z._default(z.enum(['pca', 'ica']), 'pca'),
  components: z._default(z.int().check(z.gte(1), z.lte(16)), 10),
  restarts: z._default(z.int().check(z.gte(1), z.lte(256)), 10),
  analysis: z._default(z.enum(['smaller', 'relative-size', 'distance', 'silhouette']), 'silhouette'),
  sizeThreshold: z._default(z.number().check(z.gt(0), z.lte(1)), 0.35),
  silhouetteThreshold: z._default(z.number().check(z.gte(-1), z.lte(1)), 0.1),
  minRows: z._default(z.int().check(z.gte(2)), 20),
  exactRows: z._default(z.int().check(z.gte(100)), 10_000),
})

/**
 * Activation clustering (Chen et al., "Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering", SafeAI 2019). Per class:
 * project the activations on their leading components, split them by 2-means, and ask whether the smaller cluster is poison by
 * `analysis`: `smaller` (always), `relative-size` (below 0.35), `distance` (its median lies nearer to another class's, its sibling's does
 * not), or `silhouette` (mean silhouette above 0.1 and relative size below 0.35).
 *
 * A row's score is (distance to the large cluster's centre − distance to the small one's) / distance between them, in about [−1, 1].
 * Flagged are the rows of the smaller cluster where `analysis` calls it poison. Only the silhouette rule bears on the verdict, whichever
 * analysis was asked for.
 *
 * `projection`: `pca`, the common choice and the default, or `ica`, the paper's FastICA, on the same `components` (1 … 16, cut to the rank).
 * FastICA makes all components weigh the same and only turns them, so what it splits is what 2-means splits on whitened PCA; where it
 * does not converge that is used, and the finding says so. Other options: `restarts` 1 … 256 seeded starts (for `ica` eight searches of
 * twice as many, at most 256), thresholds, `minRows` ≥ 2. The silhouette is exact, its
 * cost quadratic in the rows of a class, in classes of at most `exactRows` (10,000) rows; in larger ones its mean is estimated from 2,000 rows
 * drawn by the seed (fewer where `exactRows` is less), each against all rows of the class, and the finding gives the interval of 95 %. Of classes of more than 32,768
 * rows as many are searched for the split, which is then improved on all.
 */
export const activationClustering: Detector<ActivationClusteringOptions> = {
  id: 'activation-clustering',
  title: 'Activation clustering',
  citation: 'Chen et al.: Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering. SafeAI 2019',
  needs: ['activations', 'labels'],
  options,
  early: earlyDirections,
  detect: async (...args) => (await import('./detect-activation-clustering.js')).detectActivationClustering(...args),
}
