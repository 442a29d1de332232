import type { DeviceMatrix } from '../core/backend.js'
import type { ResidentSet } from '../core/resident-set.js'
import { classMeans } from '../kernels/class-means.js'
import { project } from '../kernels/project.js'
import { fastIca } from '../linalg/fast-ica.js'
import { topEigenvectors } from '../linalg/top-eigenvectors.js'
import { applyMap } from '../linalg/whiten.js'

/** Every class's rows in k dimensions. The caller disposes `points`. */
export interface ClassCoordinates {
  /** `[n, k]`, class order, centred per class; zeros beyond a class's rank. */
  readonly points: DeviceMatrix
  /** `[classes · k]` standard deviations. */
  readonly spread: Float64Array
  readonly ranks: readonly number[]
  /** What to add to the finding of class c, where there is something to add. */
  readonly notes: readonly (string | undefined)[]
}

/** Coordinates on the `components` leading principal components of every class, fewer where there are fewer columns. */
export async function principalCoordinates(set: ResidentSet, components: number): Promise<ClassCoordinates> {
  const { directions, values, ranks, k } = await topEigenvectors(set, components)
  const points = project(set, classMeans(set), directions, { output: 'coordinates' })
  const spread = values.map((value, i) => Math.sqrt(value / (set.set.classes[Math.floor(i / k)] as { rows: number }).rows))
  return { points, spread, ranks, notes: [] }
}

/**
 * The principal coordinates turned into independent components of variance 1 by FastICA, on the host: `[n, k]` is small beside the data.
 * A class whose iteration fails gets whitened principal coordinates, and a note that says so.
 */
export async function independentCoordinates(set: ResidentSet, components: number): Promise<ClassCoordinates> {
  const { context } = set
  const { signal } = context
  const { starts, classes } = set.set
  const { points, spread, ranks } = await principalCoordinates(set, components)
  using projected = points
  const { rows, cols, type } = projected
  const data = await context.backend.read(projected)
  const rng = context.rng.fork('activation-clustering fast-ica')
  const notes: (string | undefined)[] = []
  for (const [c, { label }] of classes.entries()) {
    const own = { data: data.subarray((starts[c] as number) * cols, (starts[c + 1] as number) * cols), cols, used: ranks[c] as number }
    if (own.used > 0) {
      const components = await fastIca(own, { rng: rng.fork(String(label)), signal })
      await applyMap(own, components, { output: own.data, signal })
      if (!components.converged) notes[c] = ' (FastICA did not converge; whitened PCA used)'
    }
    context.progress(0.1 + (0.2 * (c + 1)) / classes.length)
  }
  return { points: context.backend.upload({ data, rows, cols, type }), spread: spread.map((value) => (value > 0 ? 1 : 0)), ranks, notes }
}
