import * as z from 'zod/mini'
import type { BeatrixOptions } from './detect-beatrix.js'
import type { Detector } from './detector.js'

export type { BeatrixOptions }

const options: z.ZodMiniType<BeatrixOptions> = z.strictObject({
  minRows: z._default(z.int().check(z.gte(5)), 20),
})

/**
 * Beatrix (Ma et al., "The 'Beatrix' Resurrections: Robust Backdoor Detection via Gram Matrices", NDSS 2023, §4) on activations. Per class:
 * Gram features of powers 1 … 8, for each of them the band median ± 10·MAD of clean rows, a row's deviation the mean of how far its
 * features leave their bands; a class's is the mean of its rows', and e² robust standard deviations (1.4826·MAD) above the classes' median
 * is an attack. With fewer than three classes the statistic is the mean deviation itself, without a threshold.
 *
 * Not as in the paper: it takes Gram matrices of a layer's maps, with a place for each channel pair; penultimate activations are vectors,
 * whose Gram matrices are of rank one, so the d row sums that the paper's own features are hold all there is: 8·d numbers a row, in O(d)
 * each. Clean rows are the trusted ones of the class, 20 or more; otherwise the class's own, at most 500 drawn by the seed. A distance is
 * divided by the band's end and the mean size of the order, since units that are mostly off have bands of no width at 0. Rows that stay
 * within all bands, of which the paper says nothing, come below, in [−1, 0), by how much of them they fill.
 *
 * Flagged are, in classes from e² on, the rows whose deviation is e² robust standard deviations above the class's median. No class is
 * accused. Options: `minRows` ≥ 5. Cost: two passes over the rows, on the host, 80·d operations a row.
 */
export const beatrix: Detector<BeatrixOptions> = {
  id: 'beatrix',
  title: 'Beatrix',
  citation: 'Ma et al.: The "Beatrix" Resurrections: Robust Backdoor Detection via Gram Matrices. NDSS 2023, §4',
  needs: ['activations', 'labels'],
  options,
  detect: async (...args) => (await import('./on-demand.js')).onDemand.beatrix(...args),
}
