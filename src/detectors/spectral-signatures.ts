import * as z from 'zod/mini'
import type { ClassFinding } from '../core/result.js'
import { project } from '../kernels/project.js'
import { earlyDirections, leadingScores, topEigenvectors } from '../linalg/top-eigenvectors.js'
import { findingsOf, gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'

export interface SpectralSignaturesOptions {
  readonly variant: 'paper' | 'uncentred'
  readonly k: number
  readonly epsilon: number
  readonly minRows: number
}

const options: z.ZodMiniType<SpectralSignaturesOptions> = z.strictObject({
  variant: z._default(z.enum(['paper', 'uncentred']), 'paper'),
  k: z._default(z.int().check(z.gte(1), z.lte(128)), 1),
  epsilon: z._default(z.number().check(z.gt(0), z.lte(1)), 0.05),
  minRows: z._default(z.int().check(z.gte(2)), 20),
})

/**
 * Spectral signatures (Tran, Li & Madry, NeurIPS 2018, Algorithm 1). Per class: centre the activations R, take the k top right singular
 * vectors V of the centred matrix, score each row by ‖(Rᵢ − mean)·V‖² (k = 1: the paper's τ). Its own cut flags the 1.5·ε·n rows of
 * highest score (rounded to the nearest whole number), where the paper is given ε; here `epsilon` is an assumption, 0.05 by default.
 * The cut flags rows in every class, so it accuses none.
 *
 * `variant: 'uncentred'` projects the rows without centring them, as the authors' code and most public ports do, although v comes from
 * the centred matrix; on data with a large mean that can turn the scores upside down. It is for comparison only.
 *
 * Options: `k` 1 … 128 directions (cut to the rank), `epsilon` in (0, 1], `minRows` ≥ 2. Cost: one pass for the directions, one for scores.
 */
export const spectralSignatures: Detector<SpectralSignaturesOptions> = {
  id: 'spectral-signatures',
  title: 'Spectral signatures',
  citation: 'Tran, Li, Madry: Spectral Signatures in Backdoor Attacks. NeurIPS 2018, Algorithm 1',
  needs: ['activations', 'labels'],
  options,
  early: earlyDirections,
  async detect(context, set, { variant, k, epsilon, minRows }) {
    const { directions, ranks } = await topEigenvectors(set, k)
    context.progress(0.6)
    // Rows are held minus the data set's shift, so subtracting minus that shift from them gives the rows as they were.
    const uncentred = () => repeated(set.shift, ranks.length).map((value) => -value)
    const scores =
      variant === 'paper' ? await leadingScores(set, k) : await project(set, { centres: uncentred(), directions, output: 'scores' })
    const classes = await findingsOf(set, (c): ClassFinding => {
      const { rows } = set.set.classes[c] as { rows: number }
      const reason = reasonToSkip(set, c, { id: 'spectral-signatures', minRows, rank: ranks[c] as number })
      if (reason) return { status: 'skipped', reason }
      const ranked = positionsByScore(set, c, scores)
      const removed = ranked.subarray(0, Math.min(rows, Math.round(1.5 * epsilon * rows)))
      const largest = scores[ranked[0] as number] as number
      const cut = removed.length > 0 ? (scores[removed[removed.length - 1] as number] as number) : null
      const says =
        `ranks the rows by their share in the strongest direction${k > 1 ? 's' : ''}; its highest ${removed.length} of ${rows} ` +
        `(1.5·ε·n, ε assumed ${epsilon}) would be removed. It does so in every class, so it accuses none`
      return { status: 'ran', statistic: largest, threshold: cut, pValue: null, says, flagged: rowsAt(set, removed), accusation: null }
    })
    context.progress(1)
    return gatherResult('spectral-signatures', set, scores, classes)
  },
}

function repeated(row: Float32Array, times: number): Float32Array {
  const rows = new Float32Array(times * row.length)
  for (let i = 0; i < times; i++) rows.set(row, i * row.length)
  return rows
}
