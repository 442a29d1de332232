import type { DeviceSet } from '../core/device-set.js'
import { leadingCoordinates } from '../linalg/top-eigenvectors.js'

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
  const { coordinates, values, ranks, k } = await leadingCoordinates(set, components)
  const spread = values.map((value, i) => Math.sqrt(value / (set.set.classes[Math.floor(i / k)] as { rows: number }).rows))
  return { k, coordinates, spread, ranks, notes: [] }
}
