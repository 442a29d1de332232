import { toActivationSet } from '../../src/core/activation-set.js'
import type { Context } from '../../src/core/backend.js'
import { ClassedRows } from '../../src/core/classed-rows.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { principalCoordinates } from '../../src/detectors/class-coordinates.js'
import { type Clustering, kmeans } from '../../src/linalg/kmeans.js'
import { leadingScores } from '../../src/linalg/top-eigenvectors.js'

export interface Stages {
  readonly ms: number
  /** Sum of squares of each class's split. */
  readonly clustering: Clustering
}

/** What the two classic detectors compute of a set, timed from arrays to clusters: all but the silhouettes, which are quadratic in a class's rows. */
export async function runStages(context: Context, input: Parameters<typeof toActivationSet>[0]): Promise<Stages> {
  const began = performance.now()
  using set = await DeviceSet.upload(context, toActivationSet(input))
  await leadingScores(set, 1)
  const { coordinates, spread, k } = await principalCoordinates(set, 10)
  const x = context.backend.upload({ data: coordinates, rows: set.rows, cols: k, type: 'f32' })
  using rows = new ClassedRows(context.backend, x, set.set.starts)
  const stream = context.rng.fork('activation-clustering')
  const searches = [{ scatter: 1, rngs: set.set.classes.map(({ label }) => stream.fork(String(label))) }]
  const lanes = () => context.lanes()
  const clustering = await kmeans({ rows, coordinates, spread }, { clusters: 2, restarts: 10, searches, lanes })
  return { ms: performance.now() - began, clustering }
}
