import * as z from 'zod/mini'
import type { DeviceSet } from '../core/device-set.js'
import type { ClassFinding } from '../core/result.js'
import { runTasks } from '../core/tasks.js'
import { classMeans } from '../kernels/class-means.js'
import { project } from '../kernels/project.js'
import { topEigenvectors } from '../linalg/top-eigenvectors.js'
import { gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import { grid, mostTellingTask, rowsPerDirection, type Telling } from './most-telling.js'

export interface SpectreOptions {
  readonly directions: number
  readonly alpha: number
  readonly epsilon: number
  readonly minRows: number
}

const options: z.ZodMiniType<SpectreOptions> = z.strictObject({
  directions: z._default(z.int().check(z.gte(1), z.lte(100)), 100),
  alpha: z._default(z.number().check(z.gt(0)), 4),
  epsilon: z._default(z.number().check(z.gt(0), z.lte(1)), 0.05),
  minRows: z._default(z.int().check(z.gte(10)), 20),
})

const id = 'spectre'
/** Of the class's mean variance a column: a direction in which nearly all rows are alike does not become infinitely telling. */
const ridgeShare = 0.01
/** Beyond this many columns principal directions are dear, and fewer are taken. */
const manyColumns = 512
const fewDirections = 36

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
 * Options: `directions` 1 … 100 at most (36 beyond 512 columns; a fifth of the rows; the rank), `alpha` > 0, `epsilon` in (0, 1], `minRows`
 * ≥ 10. Cost: passes for the directions and one for coordinates, then on the host about 12·n·Σk² multiply-adds over the grid's k, 8e4 a row.
 */
export const spectre: Detector<SpectreOptions> = {
  id,
  title: 'SPECTRE',
  citation: 'Hayase, Kong, Somani, Oh: SPECTRE: Defending Against Backdoor Attacks Using Robust Statistics. ICML 2021, Algorithms 1, 2',
  needs: ['activations', 'labels'],
  options,
  async detect(context, set, { directions: most, alpha, epsilon, minRows }) {
    const largest = set.set.classes.reduce((rows, info) => Math.max(rows, info.rows), 0)
    const allowed = set.paddedCols > manyColumns ? Math.min(most, fewDirections) : most
    const wanted = grid.filter((k) => k <= allowed && k * rowsPerDirection <= largest).at(-1) ?? 1
    const found = await topEigenvectors(set, wanted)
    context.progress(0.2)
    const coordinates = await project(set, { centres: await classMeans(set), directions: found.directions, output: 'coordinates' })
    context.progress(0.3)
    const { starts, classes } = set.set
    const reasons = classes.map((_, c) => reasonToSkip(set, c, { id, minRows, least: 10, rank: found.ranks[c] as number }))
    const judged = [...reasons.keys()].filter((c) => reasons[c] === null)
    const told = await runTasks(context, mostTellingTask, {
      count: judged.length,
      input: async (i) => {
        const c = judged[i] as number
        const rank = found.ranks[c] as number
        const own = coordinates.subarray((starts[c] as number) * found.k, (starts[c + 1] as number) * found.k)
        const values = found.values.subarray(c * found.k, c * found.k + rank)
        const least = ridgeShare * meanVariance(set, found, c)
        const ridge = values.map((value) => least / value)
        return { rows: standardised(own, found.k, rank), rank, ridge, alpha }
      },
      progress: (done) => context.progress(0.3 + (0.7 * done) / judged.length),
    })
    const scores = new Float32Array(set.rows)
    const findings = reasons.map((reason): ClassFinding => ({ status: 'skipped', reason: reason ?? '' }))
    for (const [i, c] of judged.entries()) {
      const best = told[i] as Telling
      scores.set(best.scores, starts[c])
      findings[c] = findingOf(set, c, { ...best, scores, epsilon })
    }
    return gatherResult(id, set, scores, findings)
  },
}

/** Sum of squares a column of class c, over the directions that were looked for: all of them but for what the weakest hold. */
function meanVariance(set: DeviceSet, { values, k }: { values: Float64Array; k: number }, c: number): number {
  let sum = 0
  for (let j = c * k; j < (c + 1) * k; j++) sum += values[j] as number
  return sum / set.set.activations.cols
}

/** The first `rank` of k columns, each with mean square 1. */
function standardised(coordinates: Float32Array, k: number, rank: number): Float64Array {
  const n = coordinates.length / k
  const out = new Float64Array(n * rank)
  for (let j = 0; j < rank; j++) {
    let squares = 0
    for (let i = 0; i < n; i++) squares += (coordinates[i * k + j] as number) ** 2
    const scale = squares > 0 ? Math.sqrt(n / squares) : 0
    for (let i = 0; i < n; i++) out[i * rank + j] = scale * (coordinates[i * k + j] as number)
  }
  return out
}

function findingOf(
  set: DeviceSet,
  c: number,
  { average, k, trim, scores, epsilon }: Omit<Telling, 'scores'> & { scores: Float32Array; epsilon: number },
): ClassFinding {
  const { rows } = set.set.classes[c] as { rows: number }
  const excess = average - 1
  const ranked = positionsByScore(set, c, scores)
  const removed = ranked.subarray(0, Math.min(rows, Math.round(1.5 * epsilon * rows)))
  const says =
    `rows stick out of the robust covariance by ${excess.toFixed(2)} on average (mean QUE score less 1), in ${k} directions and with ` +
    `${100 * trim} % of the rows trimmed; its highest ${removed.length} of ${rows} (1.5·ε·n, ε assumed ${epsilon}) would be removed. ` +
    'It does so in every class, so it accuses none'
  return { status: 'ran', statistic: excess, threshold: null, pValue: null, says, flagged: rowsAt(set, removed), accusation: null }
}
