import { largestClass } from '../core/class-order.js'
import type { DeviceSet } from '../core/device-set.js'
import { pause } from '../core/pause.js'
import type { ClassFinding } from '../core/result.js'
import { runTasks } from '../core/tasks.js'
import { classMeans } from '../kernels/class-means.js'
import { project } from '../kernels/project.js'
import { type ClassDirections, topEigenvectors } from '../linalg/top-eigenvectors.js'
import { findingsOf, gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import { type FittedRows, fittedRows } from './fitted-rows.js'
import { grid, mostTellingTask, rowsPerDirection, type Telling } from './most-telling.js'
import { combinedDirection, projectedRows } from './placed-rows.js'

export interface SpectreOptions {
  readonly directions: number
  readonly alpha: number
  readonly epsilon: number
  readonly minRows: number
  readonly fitRows: number
}

const id = 'spectre'
/** Of the class's mean variance a column: a direction in which nearly all rows are alike does not become infinitely telling. */
const ridgeShare = 0.01
/** Beyond this many columns principal directions are dear, and fewer are taken. */
const manyColumns = 512
const fewDirections = 36

/** What `spectre` does: loaded when it first runs. */
export const detectSpectre: Detector<SpectreOptions>['detect'] = async (
  context,
  set,
  { directions: most, alpha, epsilon, minRows, fitRows },
) => {
  const allowed = set.paddedCols > manyColumns ? Math.min(most, fewDirections) : most
  const wanted = grid.filter((k) => k <= allowed && k * rowsPerDirection <= largestClass(set.set)).at(-1) ?? 1
  const found = await topEigenvectors(set, wanted)
  context.progress(0.2)
  const fitted = fittedRows(set, fitRows)
  const placed = await projectedRows(set, found.directions, { width: found.k, fitted })
  context.progress(0.3)
  const { starts, classes } = set.set
  const reasons = classes.map((_, c) => reasonToSkip(set, c, { id, minRows, least: 10, rank: found.ranks[c] as number }))
  const judged = [...reasons.keys()].filter((c) => reasons[c] === null)
  const told = await runTasks(context, mostTellingTask, {
    count: judged.length,
    input: async (i) => {
      const c = judged[i] as number
      const rank = found.ranks[c] as number
      const values = found.values.subarray(c * found.k, c * found.k + rank)
      const least = ridgeShare * meanVariance(set, found, c)
      const ridge = values.map((value) => least / value)
      return { coordinates: await placed.coordinatesOf(c), stride: found.k, rank, ridge, alpha }
    },
    progress: (done) => context.progress(0.3 + (0.65 * done) / judged.length),
  })
  const telling = new Map(judged.map((c, i) => [c, told[i] as Telling]))
  const scores = await scoresOfAll(set, { found, telling, fitted })
  const findings = await findingsOf(set, (c): ClassFinding => {
    const best = telling.get(c)
    if (!best) return { status: 'skipped', reason: reasons[c] ?? '' }
    if (!fitted.positionsOf(c)) scores.set(best.scores, starts[c])
    return findingOf(set, c, { ...best, scores, epsilon })
  })
  const result = gatherResult(id, set, scores, findings)
  const sampled = fitted.says('robust covariances of')
  return result.status === 'ran' && sampled ? { ...result, sampled } : result
}

interface Scoring {
  readonly found: ClassDirections
  readonly telling: ReadonlyMap<number, Telling>
  readonly fitted: FittedRows
}

/**
 * `[n]`, class order: the scores of all rows of the classes that were fitted on drawn ones, in one pass. A score is a sum of squares along
 * directions of the principal ones, (row − mean)·direction in each, and so along directions of the columns.
 */
async function scoresOfAll(set: DeviceSet, { found, telling, fitted }: Scoring): Promise<Float32Array> {
  const wanted = fitted.drawn.filter((c) => telling.has(c))
  if (wanted.length === 0) return new Float32Array(set.rows)
  const cols = set.paddedCols
  const width = Math.max(...wanted.map((c) => telling.get(c)?.map.directions.length ?? 0))
  const directions = new Float32Array(set.set.classes.length * width * cols)
  const centres = (await classMeans(set)).slice()
  for (const c of wanted) {
    const { map, scale } = telling.get(c) as Telling
    const at = { c, width: found.k, cols }
    // Principal directions are orthonormal: what lies at these coordinates is their sum.
    const mean = combinedDirection(
      found.directions,
      map.mean.map((value, j) => ((scale[j] as number) > 0 ? value / (scale[j] as number) : 0)),
      at,
    )
    mean.forEach((value, j) => {
      centres[c * cols + j] = (centres[c * cols + j] as number) + value
    })
    map.directions.forEach((direction, k) => {
      const weights = direction.map((value, j) => value * (scale[j] as number))
      directions.set(combinedDirection(found.directions, weights, at), (c * width + k) * cols)
    })
    await pause()
    set.context.signal?.throwIfAborted()
  }
  return await project(set, { centres, directions, output: 'scores' })
}

/** Sum of squares a column of class c, over the directions that were looked for: all of them but for what the weakest hold. */
function meanVariance(set: DeviceSet, { values, k }: { values: Float64Array; k: number }, c: number): number {
  let sum = 0
  for (let j = c * k; j < (c + 1) * k; j++) sum += values[j] as number
  return sum / set.set.activations.cols
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
