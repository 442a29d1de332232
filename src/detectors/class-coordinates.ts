import type { DeviceSet } from '../core/device-set.js'
import { classMeans } from '../kernels/class-means.js'
import { project } from '../kernels/project.js'
import { fastIca } from '../linalg/fast-ica.js'
import { topEigenvectors } from '../linalg/top-eigenvectors.js'
import { applyMap } from '../linalg/whiten.js'

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

/**
 * The principal coordinates turned into independent components of variance 1 by FastICA, on the host: `[n, k]` is small beside the data.
 * A class whose iteration fails gets whitened principal coordinates, and a note that says so.
 */
export async function independentCoordinates(set: DeviceSet, components: number): Promise<ClassCoordinates> {
  const { context } = set
  const { signal } = context
  const { starts, classes } = set.set
  const { k, coordinates, spread, ranks } = await principalCoordinates(set, components)
  const rng = context.rng.fork('activation-clustering fast-ica')
  const notes: (string | undefined)[] = []
  for (const [c, { label }] of classes.entries()) {
    const own = {
      data: coordinates.subarray((starts[c] as number) * k, (starts[c + 1] as number) * k),
      cols: k,
      used: ranks[c] as number,
    }
    if (own.used > 0) {
      const components = await fastIca(own, { rng: rng.fork(String(label)), signal })
      await applyMap(own, components, { output: own.data, signal })
      if (!components.converged) notes[c] = ' (FastICA did not converge; whitened PCA used)'
    }
    context.progress(0.1 + (0.2 * (c + 1)) / classes.length)
  }
  return { k, coordinates, spread: spread.map((value) => (value > 0 ? 1 : 0)), ranks, notes }
}
