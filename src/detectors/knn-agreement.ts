import * as z from 'zod/mini'
import type { KnnAgreementOptions } from './detect-knn-agreement.js'
import type { Detector } from './detector.js'

export type { KnnAgreementOptions }

const options: z.ZodMiniType<KnnAgreementOptions> = z.strictObject({
  k: z._default(z.int().check(z.gte(1), z.lte(1000)), 50),
  minRows: z._default(z.int().check(z.gte(2)), 20),
  exactRows: z._default(z.int().check(z.gte(1)), 4000),
})

/**
 * kNN label agreement (Peri et al., "Deep k-NN Defense Against Clean-Label Data Poisoning Attacks", ECCV Workshops 2020): rows scaled to
 * length 1, the share of a row's k nearest neighbours that carry another label. Flagged, as in the paper, is a row whose label is not the
 * most frequent one among them; the statistic is the share of such rows. No class is accused.
 *
 * Not as in the paper: k is lowered for a class to half of its references, so that its rows can be among their own; and in sets of more
 * than `exactRows` rows, where n²·d multiply-adds would be many, neighbours are looked for among references drawn by the seed, 2·k of each
 * class, which keeps small classes visible. A row's distances cost at most 131,072 multiply-adds: beyond that, first references become
 * fewer, then columns, which are added up with random signs into 64 or more (feature hashing, Weinberger et al. 2009: squared distances
 * stay right on average, ±√(2/columns)), then both, down to 4 references a class and 16 columns. All on the host, from the rows as they
 * were given, so that backends give the same scores.
 *
 * What the statistic would be among all rows, k nearest of n, the finding then gives with an interval of 95 % (Clopper and Pearson): by up to 50
 * rows drawn of each class, or 1,000 of the set where it has more than a hundred, whose neighbours are looked for among all rows in
 * the same columns. The two differ in what they see: k of few references reach further than k of all rows. A planted group that holds few
 * references is outvoted there by what lies around it, and by all rows it agrees with itself; a natural group so small that no reference
 * was drawn from it looks like a wrong label.
 *
 * Options: `k` 1 … 1000, `minRows` ≥ 2, `exactRows` ≥ 1. Needs two classes. Two passes over the rows.
 */
export const knnAgreement: Detector<KnnAgreementOptions> = {
  id: 'knn-agreement',
  title: 'kNN label agreement',
  citation: 'Peri et al.: Deep k-NN Defense Against Clean-Label Data Poisoning Attacks. ECCV Workshops 2020',
  needs: ['activations', 'labels'],
  options,
  detect: async (...args) => (await import('./on-demand.js')).onDemand.knnAgreement(...args),
}
