import type { DeviceSet } from '../core/device-set.js'
import { fastIca } from '../linalg/fast-ica.js'
import { applyMap } from '../linalg/whiten.js'
import type { ClassCoordinates } from './class-coordinates.js'

/**
 * Principal coordinates turned into independent components of variance 1 by FastICA, on the host: `[n, k]` is small beside the data.
 * A class whose iteration fails gets whitened principal coordinates, and a note that says so.
 */
export async function independentCoordinates(set: DeviceSet, principal: ClassCoordinates): Promise<ClassCoordinates> {
  const { context } = set
  const { signal } = context
  const { starts, classes } = set.set
  const { k, spread, ranks } = principal
  const coordinates = principal.coordinates.slice()
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
