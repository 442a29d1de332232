import type { DeviceSet } from '../core/device-set.js'
import { classMeans } from '../kernels/class-means.js'
import { project } from '../kernels/project.js'
import { topEigenvectors } from '../linalg/top-eigenvectors.js'

/** Every class's rows in k dimensions. */
export interface ClassCoordinates {
  readonly k: number
  /** `[n, k]`, class order, centred per class; zeros beyond a class's rank. */
  readonly coordinates: Float32Array
  /** `[classes · k]` standard deviations. */
  readonly spread: Float64Array
  readonly ranks: readonly number[]
  /** What to add to the finding of class c, where there is something to add. */
  readonly notes: readonly (string | undefined)[]
}

/** Coordinates on the `components` leading principal components of every class, fewer where there are fewer columns. */
export async function principalCoordinates(set: DeviceSet, components: number): Promise<ClassCoordinates> {
  const { directions, values, ranks, k } = await topEigenvectors(set, components)
  const coordinates = await project(set, { centres: await classMeans(set), directions, output: 'coordinates' })
  const spread = values.map((value, i) => Math.sqrt(value / (set.set.classes[Math.floor(i / k)] as { rows: number }).rows))
  return { k, coordinates, spread, ranks, notes: [] }
}
