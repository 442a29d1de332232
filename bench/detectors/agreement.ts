import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import { ClassedRows } from '../../src/core/classed-rows.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { classMeans } from '../../src/kernels/class-means.js'
import { project } from '../../src/kernels/project.js'
import { kmeans } from '../../src/linalg/kmeans.js'
import { topEigenvectors } from '../../src/linalg/top-eigenvectors.js'
import { audit, createContext } from '../../src/node.js'
import type { Report } from '../../src/report/schema.js'
import type { PeerRun } from './peer.js'

/** How far inertia, silhouette and largest score may be from the peer's before anything is timed. */
const agreement = 0.01

type Figures = PeerRun['classes'][number]

/** Per class: mean silhouette and largest spectral score. */
export function reported(report: Report): Omit<Figures, 'inertia'>[] {
  const statistic = (c: number, id: string) => report.classes[c]?.evidence.find(({ detector }) => detector === id)?.statistic ?? Number.NaN
  return report.classes.map((_, c) => ({
    silhouette: statistic(c, 'activation-clustering'),
    largestScore: statistic(c, 'spectral-signatures'),
  }))
}

/** Per class: inertia of the split, mean silhouette and largest spectral score. The report has no inertia, so the split is made again. */
export async function figures(input: ActivationSetInput, options: { backend: 'cpu' | 'webgpu'; softwareAdapters: boolean; seed: number }) {
  const report = await audit(input, options)
  const { backend, softwareAdapters, seed } = options
  using context = await createContext({ backend, softwareAdapters, seed })
  using set = await DeviceSet.upload(context, toActivationSet(input))
  const { directions, values, k } = await topEigenvectors(set, 10)
  const coordinates = await project(set, { centres: await classMeans(set), directions, output: 'coordinates' })
  const spread = values.map((value, i) => Math.sqrt(value / (set.set.classes[Math.floor(i / k)] as { rows: number }).rows))
  const rng = context.rng.fork('activation-clustering')
  const x = context.backend.upload({ data: coordinates, rows: set.rows, cols: k, type: 'f32' })
  using rows = new ClassedRows(context.backend, x, set.set.starts)
  const searches = [{ scatter: 1, rngs: set.set.classes.map(({ label }) => rng.fork(String(label))) }]
  const { inertia } = await kmeans({ rows, coordinates, spread }, { clusters: 2, restarts: 10, searches })
  return reported(report).map((own, c) => ({ ...own, inertia: inertia[c] as number }))
}

/** Says how far apart the two are at most, in what we have; throws where it is more than 1 %. */
export function disagreement({ classes }: { readonly classes: readonly Partial<Figures>[] }, ours: readonly Partial<Figures>[]): string {
  const keys = (['inertia', 'silhouette', 'largestScore'] as const).filter((key) => ours[0]?.[key] !== undefined)
  const worst = keys.map((key) => {
    const apart = Math.max(...classes.map((theirs, c) => relative(ours[c]?.[key], theirs[key])))
    if (!(apart <= agreement))
      throw new Error(`${key} differs by ${(100 * apart).toFixed(2)} % from the peer's; there is no point in timing it`)
    return `${key === 'largestScore' ? 'largest score' : key} within ${apart.toExponential(0)}`
  })
  return worst.join(', ')
}

const relative = (ours = Number.NaN, theirs = Number.NaN) => Math.abs((ours - theirs) / theirs)
