import * as z from 'zod/mini'
import { earlyDirections } from '../linalg/top-eigenvectors.js'
import type { SpectreOptions } from './detect-spectre.js'
import type { Detector } from './detector.js'

export type { SpectreOptions }

const options: z.ZodMiniType<SpectreOptions> = z.strictObject({
  directions: z._default(z.int().check(z.gte(1), z.lte(100)), 100),
  alpha: z._default(z.number().check(z.gt(0)), 4),
  epsilon: z._default(z.number().check(z.gt(0), z.lte(1)), 0.05),
  minRows: z._default(z.int().check(z.gte(10)), 20),
  fitRows: z._default(z.int().check(z.gte(500)), 5000),
})

/**
 * SPECTRE (Hayase, Kong, Somani & Oh, "SPECTRE: Defending Against Backdoor Attacks Using Robust Statistics", ICML 2021, Algorithms 1 and
 * 2). Per class: project on k principal directions, whiten by a robust mean and covariance, score rows by QUE with α = 4, and take the k
 * whose scores have the largest mean.
 *
 * Not as in the paper: it is given ε, here two trims (10 % and 30 %) are tried as well, and chosen in the same way; robust mean and
 * covariance come from trimming the rows furthest off, three times over, not from its filter of fourth moments, which takes k⁴; and the
 * covariance has a ridge of 1 % of the class's mean variance, since ReLU units that are nearly always off would otherwise win.
 *
 * The statistic is the largest mean score less 1, what a normal class has. Flagged are the 1.5·ε·n rows of highest score, `epsilon` being
 * an assumption (0.05), in every class; it accuses none.
 *
 * In classes of more than `fitRows` rows (5,000) the search is over so many, drawn by the seed; every row is scored by what it finds.
 *
 * Options: `directions` 1 … 100 at most (36 beyond 512 columns; a fifth of the rows; the rank), `alpha` > 0, `epsilon` in (0, 1], `minRows`
 * ≥ 10, `fitRows` ≥ 500. Cost: passes for the directions and one for coordinates, then on the host about 12·n·Σk² multiply-adds over the grid's k, 8e4 a row that is fitted on.
 */
export const spectre: Detector<SpectreOptions> = {
  id: 'spectre',
  title: 'SPECTRE',
  citation: 'Hayase, Kong, Somani, Oh: SPECTRE: Defending Against Backdoor Attacks Using Robust Statistics. ICML 2021, Algorithms 1, 2',
  needs: ['activations', 'labels'],
  options,
  early: earlyDirections,
  detect: async (...args) => (await import('./on-demand.js')).onDemand.spectre(...args),
}
