import type { DeviceSet } from '../core/device-set.js'
import { groupMedians } from '../stats/group-medians.js'
import { rowsAt } from './class-findings.js'
import { distanceAnalysis } from './cluster-analyses.js'

/** Positions (class order) of a class's two clusters. */
interface Halves {
  readonly smaller: Uint32Array
  readonly larger: Uint32Array
}

/** For each class, whether its smaller cluster lies at another class, by the medians of the activations. */
export async function liesElsewhere(set: DeviceSet, splits: readonly Halves[]): Promise<boolean[]> {
  const { activations, classOf } = set.set
  const { memory, signal } = set.context
  const clusterOf = new Uint32Array(set.rows)
  splits.forEach(({ smaller, larger }, c) => {
    for (const row of rowsAt(set, smaller)) clusterOf[row] = 2 * c
    for (const row of rowsAt(set, larger)) clusterOf[row] = 2 * c + 1
  })
  const ofClusters = await groupMedians(activations, clusterOf, { groups: 2 * splits.length, memory: memory / 4, signal })
  const ofClasses = await groupMedians(activations, classOf, { groups: splits.length, memory: memory / 4, signal })
  return splits.map(({ smaller }, c) => {
    if (smaller.length === 0) return false
    const medians = { smaller: ofClusters[2 * c] as Float64Array, larger: ofClusters[2 * c + 1] as Float64Array }
    return distanceAnalysis({ ...medians, own: ofClasses[c] as Float64Array, others: ofClasses.filter((_, other) => other !== c) })
  })
}
