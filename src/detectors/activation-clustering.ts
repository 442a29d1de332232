import * as z from 'zod/mini'
import type { DeviceMatrix } from '../core/backend.js'
import type { ResidentSet } from '../core/resident-set.js'
import type { ClassFinding } from '../core/result.js'
import { silhouette } from '../kernels/silhouette.js'
import { type Clustering, kmeans } from '../linalg/kmeans.js'
import { independentCoordinates, principalCoordinates } from './class-coordinates.js'
import { gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import { columnMedians, distanceAnalysis } from './cluster-analyses.js'
import type { Detector } from './detector.js'

export interface ActivationClusteringOptions {
  readonly projection: 'pca' | 'ica'
  readonly components: number
  readonly restarts: number
  readonly analysis: 'smaller' | 'relative-size' | 'distance' | 'silhouette'
  readonly sizeThreshold: number
  readonly silhouetteThreshold: number
  readonly minRows: number
}

const options: z.ZodMiniType<ActivationClusteringOptions> = z.strictObject({
  projection: z._default(z.enum(['pca', 'ica']), 'pca'),
  components: z._default(z.int().check(z.gte(1), z.lte(16)), 10),
  restarts: z._default(z.int().check(z.gte(1), z.lte(256)), 10),
  analysis: z._default(z.enum(['smaller', 'relative-size', 'distance', 'silhouette']), 'silhouette'),
  sizeThreshold: z._default(z.number().check(z.gt(0), z.lte(1)), 0.35),
  silhouetteThreshold: z._default(z.number().check(z.gte(-1), z.lte(1)), 0.1),
  minRows: z._default(z.int().check(z.gte(2)), 20),
})

/**
 * Where all directions weigh the same 2-means has many optima of nearly the same sum of squares, and starts one standard deviation off
 * find few of them: ten of those missed the best of fifty plain restarts in up to half of a real data set's classes. Twenty at each of
 * these distances, in standard deviations, missed it in none.
 */
const whitenedScatters = [3, 4, 5, 6, 7, 8, 9, 10]

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
 * twice as many, at most 256), thresholds, `minRows` ≥ 2. The silhouette is exact: its cost is quadratic in the rows of a class.
 */
export const activationClustering: Detector<ActivationClusteringOptions> = {
  id: 'activation-clustering',
  title: 'Activation clustering',
  citation: 'Chen et al.: Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering. SafeAI 2019',
  needs: ['activations', 'labels'],
  options,
  async detect(context, set, { projection, components, restarts, analysis, sizeThreshold, silhouetteThreshold, minRows }) {
    const { backend } = context
    const ica = projection === 'ica'
    const { points, spread, ranks, notes } = await (ica ? independentCoordinates : principalCoordinates)(set, components)
    using coordinates = points
    context.progress(0.3)
    const search = ica ? { restarts: Math.min(2 * restarts, 256), scatters: whitenedScatters } : { restarts, scatters: [1] }
    const clustering = await bestSplits(set, coordinates, { ...search, spread })
    const splits = set.set.classes.map((_, c) => splitOf(set, c, clustering.distances))
    const clusterOf = new Uint32Array(set.x.rows)
    for (const { smaller } of splits) for (const i of smaller) clusterOf[i] = 1
    using silhouettes = silhouette(set, coordinates, clusterOf)
    const rowSilhouettes = await backend.read(silhouettes)
    context.progress(0.9)
    const scores = new Float32Array(set.x.rows)
    const classes = splits.map((split, c): ClassFinding => {
      const reason = reasonToSkip(set, c, { id: 'activation-clustering', minRows, rank: ranks[c] as number })
      if (reason) return { status: 'skipped', reason }
      scoreRows(set, c, { ...split, distances: clustering.distances, centres: clustering.centres, dims: coordinates.cols }, scores)
      const rows = split.smaller.length + split.larger.length
      const relativeSize = split.smaller.length / rows
      const mean = classMean(set, c, rowSilhouettes)
      const smallerRows = () =>
        rowsAt(
          set,
          positionsByScore(set, c, scores).filter((i) => clusterOf[i] === 1),
        )
      const bySilhouette = mean > silhouetteThreshold && relativeSize < sizeThreshold
      const flags =
        analysis === 'smaller' ||
        (analysis === 'relative-size' && relativeSize < sizeThreshold) ||
        (analysis === 'silhouette' && bySilhouette) ||
        (analysis === 'distance' && smallerLiesElsewhere(set, c, split))
      const small = `${split.smaller.length} of ${rows} rows`
      const relative = `relative size ${relativeSize.toFixed(3)}, accused below ${sizeThreshold}`
      return {
        status: 'ran',
        statistic: mean,
        threshold: silhouetteThreshold,
        pValue: null,
        says: `2-means splits off ${small} (${relative}) at silhouette ${mean.toFixed(3)} (accused above ${silhouetteThreshold})${notes[c] ?? ''}`,
        flagged: flags ? smallerRows() : new Uint32Array(0),
        accusation: bySilhouette
          ? { rows: smallerRows(), reason: `in the smaller of two clusters that lie apart (${small}, silhouette ${mean.toFixed(3)})` }
          : null,
      }
    })
    context.progress(1)
    return gatherResult('activation-clustering', set, scores, classes)
  },
}

interface SplitSearch {
  readonly spread: Float64Array
  readonly restarts: number
  /** How far from a class's mean the starts lie, in standard deviations: one search each. */
  readonly scatters: readonly number[]
}

/** The best 2-means split of every class over all searches. Of equally good ones (within 1e-6) the first is kept. */
async function bestSplits(set: ResidentSet, points: DeviceMatrix, { spread, restarts, scatters }: SplitSearch): Promise<Clustering> {
  const { starts, classes } = set.set
  const centreSize = 2 * points.cols
  let best: Clustering | null = null
  for (const scatter of scatters) {
    const rng = set.context.rng.fork(scatter === 1 ? 'activation-clustering' : `activation-clustering ${scatter}`)
    const scattered = spread.map((value) => scatter * value)
    const found = await kmeans(set, points, scattered, { clusters: 2, restarts, rng })
    const { distances, centres, inertia }: Clustering = best ?? found
    for (let c = 0; c < classes.length; c++) {
      if (!((found.inertia[c] as number) < (inertia[c] as number) * (1 - 1e-6))) continue
      const [start, end] = [2 * (starts[c] as number), 2 * (starts[c + 1] as number)]
      distances.set(found.distances.subarray(start, end), start)
      centres.set(found.centres.subarray(c * centreSize, (c + 1) * centreSize), c * centreSize)
      inertia[c] = found.inertia[c] as number
    }
    best ??= found
    set.context.progress(0.3 + (0.2 * (scatters.indexOf(scatter) + 1)) / scatters.length)
  }
  return best as Clustering
}

/** Positions (class order) of a class's two clusters and which centre is whose. */
interface Split {
  readonly smaller: Uint32Array
  readonly larger: Uint32Array
  readonly smallerCentre: number
}

/** Rows go to the nearer centre, ties to the first. Of two equal halves the one without the class's first row counts as the smaller. */
function splitOf(set: ResidentSet, c: number, distances: Float32Array): Split {
  const start = set.set.starts[c] as number
  const end = set.set.starts[c + 1] as number
  const halves: [number[], number[]] = [[], []]
  for (let i = start; i < end; i++) halves[(distances[i * 2 + 1] as number) < (distances[i * 2] as number) ? 1 : 0].push(i)
  const [first, second] = halves
  const smallerCentre = first.length === second.length ? (first[0] === start ? 1 : 0) : first.length < second.length ? 0 : 1
  const smaller = Uint32Array.from(halves[smallerCentre] as number[])
  return { smaller, larger: Uint32Array.from(halves[1 - smallerCentre] as number[]), smallerCentre }
}

interface ScoredSplit extends Split {
  readonly distances: Float32Array
  readonly centres: Float32Array
  readonly dims: number
}

function scoreRows(set: ResidentSet, c: number, split: ScoredSplit, scores: Float32Array): void {
  const { distances, centres, dims, smallerCentre } = split
  let between = 0
  for (let j = 0; j < dims; j++) between += ((centres[2 * c * dims + j] as number) - (centres[(2 * c + 1) * dims + j] as number)) ** 2
  between = Math.sqrt(between)
  for (let i = set.set.starts[c] as number; i < (set.set.starts[c + 1] as number); i++) {
    const toSmaller = distances[i * 2 + smallerCentre] as number
    const toLarger = distances[i * 2 + 1 - smallerCentre] as number
    scores[i] = between > 0 ? (toLarger - toSmaller) / between : 0
  }
}

function classMean(set: ResidentSet, c: number, values: Float32Array): number {
  const start = set.set.starts[c] as number
  const end = set.set.starts[c + 1] as number
  let sum = 0
  for (let i = start; i < end; i++) sum += values[i] as number
  return sum / (end - start)
}

function smallerLiesElsewhere(set: ResidentSet, c: number, split: Split): boolean {
  const medianOf = (positions: Uint32Array) => columnMedians(set.set.activations, rowsAt(set, positions))
  const medians = set.keep('class medians', () =>
    set.set.classes.map((_, other) =>
      columnMedians(set.set.activations, set.set.order.subarray(set.set.starts[other], set.set.starts[other + 1])),
    ),
  )
  if (split.smaller.length === 0) return false
  const others = medians.filter((_, other) => other !== c)
  return distanceAnalysis({ smaller: medianOf(split.smaller), larger: medianOf(split.larger), own: medians[c] as Float64Array, others })
}
