import { ClassedRows } from '../core/classed-rows.js'
import type { DeviceSet } from '../core/device-set.js'
import { pause } from '../core/pause.js'
import type { ClassFinding } from '../core/result.js'
import { type Clustering, kmeans, searchedRows } from '../linalg/kmeans.js'
import { type ClassCoordinates, principalCoordinates } from './class-coordinates.js'
import { findingsOf, gatherResult, positionsByScore, reasonToSkip, rowsAt } from './class-findings.js'
import type { Detector } from './detector.js'
import { type MeanSilhouette, meanSilhouettes } from './mean-silhouettes.js'

export interface ActivationClusteringOptions {
  readonly projection: 'pca' | 'ica'
  readonly components: number
  readonly restarts: number
  readonly analysis: 'smaller' | 'relative-size' | 'distance' | 'silhouette'
  readonly sizeThreshold: number
  readonly silhouetteThreshold: number
  readonly minRows: number
  readonly exactRows: number
}

/**
 * Where all directions weigh the same 2-means has many optima of nearly the same sum of squares, and starts one standard deviation off
 * find few of them: ten of those missed the best of fifty plain restarts in up to half of a real data set's classes. Twenty at each of
 * these distances, in standard deviations, missed it in none.
 */
const whitenedScatters = [3, 4, 5, 6, 7, 8, 9, 10]

/** What `activationClustering` does: loaded when it first runs. */
export const detectActivationClustering: Detector<ActivationClusteringOptions>['detect'] = async (
  context,
  set,
  { projection, components, restarts, analysis, sizeThreshold, silhouetteThreshold, minRows, exactRows },
) => {
  const ica = projection === 'ica'
  const principal = await principalCoordinates(set, components)
  const found = ica ? await turnedByIca(set, principal) : principal
  const { ranks, notes } = found
  context.progress(0.3)
  const search = ica ? { restarts: Math.min(2 * restarts, 256), scatters: whitenedScatters } : { restarts, scatters: [1] }
  const splits = await splitClasses(set, found, search)
  context.progress(0.7)
  const silhouettes = await meanSilhouettes(set, found, { clusterOf: clustersOf(set, splits), exactRows })
  context.progress(0.9)
  const elsewhere = analysis === 'distance' ? await (await import('./lies-elsewhere.js')).liesElsewhere(set, splits) : null
  const scores = new Float32Array(set.rows)
  const classes = await findingsOf(set, (c): ClassFinding => {
    const split = splits[c] as Split
    const reason = reasonToSkip(set, c, { id: 'activation-clustering', minRows, rank: ranks[c] as number })
    if (reason) return { status: 'skipped', reason }
    scoreRows(set, c, split, scores)
    const rows = split.smaller.length + split.larger.length
    const relativeSize = split.smaller.length / rows
    const silhouette = silhouettes[c] as MeanSilhouette
    const { mean } = silhouette
    const bySilhouette = mean > silhouetteThreshold && relativeSize < sizeThreshold
    const flags =
      analysis === 'smaller' ||
      (analysis === 'relative-size' && relativeSize < sizeThreshold) ||
      (analysis === 'silhouette' && bySilhouette) ||
      (elsewhere?.[c] ?? false)
    const accused = flags || bySilhouette ? rowsAt(set, fallingScores(set, c, scores, split.smaller)) : new Uint32Array(0)
    const small = `${split.smaller.length} of ${rows} rows`
    const relative = `relative size ${relativeSize.toFixed(3)}, accused below ${sizeThreshold}`
    return {
      status: 'ran',
      statistic: mean,
      threshold: silhouetteThreshold,
      pValue: null,
      says: `2-means splits off ${small} (${relative}) at silhouette ${inWords(silhouette, rows)} (accused above ${silhouetteThreshold})${notes[c] ?? ''}`,
      flagged: flags ? accused : new Uint32Array(0),
      accusation: bySilhouette
        ? {
            rows: accused,
            reason: `in the smaller of two clusters that lie apart (${small}, silhouette ${inWords(silhouette, rows)})`,
          }
        : null,
    }
  })
  context.progress(1)
  const result = gatherResult('activation-clustering', set, scores, classes)
  const sampled = saysDrawn(set, silhouettes)
  return result.status === 'ran' && sampled ? { ...result, sampled } : result
}

/** What was done on drawn rows, in words; an empty text where nothing was. */
function saysDrawn(set: DeviceSet, silhouettes: readonly MeanSilhouette[]): string {
  const { classes } = set.set
  const estimated = classes.filter(({ rows }, c) => rows > (silhouettes[c] as MeanSilhouette).rows).length
  const searched = classes.filter(({ rows }) => rows > searchedRows).length
  const said = [
    estimated > 0 ? `silhouettes of ${estimated} ${estimated === 1 ? 'class' : 'classes'} estimated from rows drawn by the seed` : [],
    searched > 0 ? `2-means of ${searched} searched in ${searchedRows} rows each, drawn by the seed, and improved on all` : [],
  ]
  return said.flat().join('; ')
}

/** Those positions of class c that are in `wanted`, highest score first. */
function fallingScores(set: DeviceSet, c: number, scores: Float32Array, wanted: Uint32Array): Uint32Array {
  const start = set.set.starts[c] as number
  const isWanted = new Uint8Array((set.set.starts[c + 1] as number) - start)
  for (const i of wanted) isWanted[i - start] = 1
  return positionsByScore(set, c, scores).filter((i) => isWanted[i - start] === 1)
}

function inWords({ mean, halfWidth, rows }: MeanSilhouette, of: number): string {
  const value = mean.toFixed(3)
  return rows < of ? `${value} ± ${halfWidth.toFixed(3)} (95 %, from ${rows} of ${of} rows drawn by the seed)` : value
}

interface SplitSearch {
  readonly restarts: number
  /** How far from a class's mean the starts lie, in standard deviations: one search each. */
  readonly scatters: readonly number[]
}

/** Positions (class order) of a class's two clusters, which centre is whose, and how far the rows are from them. */
interface Split {
  readonly smaller: Uint32Array
  readonly larger: Uint32Array
  readonly smallerCentre: 0 | 1
  /** `[rows of the class, 2]` distances to both centres. */
  readonly distances: Float32Array
  /** From one centre to the other. */
  readonly between: number
}

/** The best 2-means split of every class: as many classes at a time as one buffer takes. */
async function splitClasses(
  set: DeviceSet,
  { k, coordinates, spread }: ClassCoordinates,
  { restarts, scatters }: SplitSearch,
): Promise<Split[]> {
  const { backend, rng, signal } = set.context
  const { starts, classes } = set.set
  const splits: Split[] = []
  for (let first = 0, end: number; first < classes.length; first = end) {
    const start = starts[first] as number
    end = first + 1
    while (end < classes.length && ((starts[end + 1] as number) - start) * k * 4 <= backend.maxBindingBytes) end++
    const own = coordinates.subarray(start * k, (starts[end] as number) * k)
    const x = backend.upload({ data: own, rows: own.length / k, cols: k, type: 'f32' })
    const ownStarts = starts.subarray(first, end + 1).map((at) => at - start)
    using rows = new ClassedRows(backend, x, ownStarts)
    const labels = classes.slice(first, end).map(({ label }) => String(label))
    const searches = scatters.map((scatter) => {
      const stream = rng.fork(scatter === 1 ? 'activation-clustering' : `activation-clustering ${scatter}`)
      return { scatter, rngs: labels.map((label) => stream.fork(label)) }
    })
    const points = { rows, coordinates: own, spread: spread.subarray(first * k, end * k) }
    const onShare = (share: number) => set.context.progress(0.3 + 0.4 * ((first + share * (end - first)) / classes.length))
    const clustering = await kmeans(points, { clusters: 2, restarts, searches, signal, lanes: () => set.context.lanes(), onShare })
    for (let c = first; c < end; c++) {
      splits.push(splitOf(set, c, clustering, c - first, ownStarts))
      await pause()
      signal?.throwIfAborted()
    }
  }
  return splits
}

/** 1 for every row, in class order, of its class's smaller cluster. */
function clustersOf(set: DeviceSet, splits: readonly Split[]): Uint32Array {
  const clusterOf = new Uint32Array(set.rows)
  for (const { smaller } of splits) for (const i of smaller) clusterOf[i] = 1
  return clusterOf
}

/** Rows go to the nearer centre, ties to the first. Of two equal halves the one without the class's first row counts as the smaller. */
function splitOf(set: DeviceSet, c: number, clustering: Clustering, index: number, starts: Uint32Array): Split {
  const firstPosition = set.set.starts[c] as number
  const distances = clustering.distances.subarray(2 * (starts[index] as number), 2 * (starts[index + 1] as number))
  const rows = distances.length / 2
  /** Those of the first centre from the front, the others from the back. */
  const halves = new Uint32Array(rows)
  let [front, back] = [0, rows]
  for (let i = 0; i < rows; i++) {
    halves[(distances[i * 2 + 1] as number) < (distances[i * 2] as number) ? --back : front++] = firstPosition + i
  }
  const clusters = [halves.subarray(0, front), halves.subarray(back).reverse()] as const
  const smallerCentre = front === rows - front ? (halves[0] === firstPosition ? 1 : 0) : front < rows - front ? 0 : 1
  const dims = clustering.centres.length / (2 * (starts.length - 1))
  const centres = clustering.centres.subarray(2 * index * dims, 2 * (index + 1) * dims)
  let between = 0
  for (let j = 0; j < dims; j++) between += ((centres[j] as number) - (centres[dims + j] as number)) ** 2
  return {
    smaller: clusters[smallerCentre],
    larger: clusters[smallerCentre === 0 ? 1 : 0],
    smallerCentre,
    distances,
    between: Math.sqrt(between),
  }
}

function scoreRows(set: DeviceSet, c: number, { distances, smallerCentre, between }: Split, scores: Float32Array): void {
  const start = set.set.starts[c] as number
  for (let i = 0; 2 * i < distances.length; i++) {
    const toSmaller = distances[i * 2 + smallerCentre] as number
    const toLarger = distances[i * 2 + 1 - smallerCentre] as number
    scores[start + i] = between > 0 ? (toLarger - toSmaller) / between : 0
  }
}

/** Loaded where it is asked for. */
async function turnedByIca(set: DeviceSet, principal: ClassCoordinates): Promise<ClassCoordinates> {
  const { independentCoordinates } = await import('./independent-coordinates.js')
  return await independentCoordinates(set, principal)
}
