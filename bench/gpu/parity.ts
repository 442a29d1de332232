import { toActivationSet } from '../../src/core/activation-set.js'
import type { Context, Kernel, Tolerance } from '../../src/core/backend.js'
import { ClassedRows } from '../../src/core/classed-rows.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { Rng } from '../../src/core/rng.js'
import { classMeans, classMeansKernel } from '../../src/kernels/class-means.js'
import { gram, gramKernel } from '../../src/kernels/gram.js'
import { applyWidth, gramApply, gramApplyKernel } from '../../src/kernels/gram-apply.js'
import { kmeansDistancesKernel, kmeansStepKernel } from '../../src/kernels/kmeans.js'
import { project, projectKernel, projectScoresKernel } from '../../src/kernels/project.js'
import { silhouette, silhouetteKernel } from '../../src/kernels/silhouette.js'
import { topEigenvectors } from '../../src/linalg/top-eigenvectors.js'

interface ParityShape {
  readonly name: string
  /** Rows of each class. */
  readonly rows: readonly number[]
  readonly features: number
  /** How far the mean lies from 0; the spread is about 1. */
  readonly offset: number
}

const repeat = (rows: readonly number[], times: number) => Array.from({ length: times }, () => rows).flat()

/** Where tiled kernels go wrong: tiny, odd, just past a tile or a workgroup, many classes, a mean much larger than the spread. */
const parityShapes: readonly ParityShape[] = [
  { name: '1 × 1', rows: [1], features: 1, offset: 0 },
  { name: 'one feature', rows: [130], features: 1, offset: 0 },
  { name: 'ragged classes, odd features', rows: [1, 7, 37, 64, 65, 129, 300], features: 61, offset: 0 },
  { name: 'past every tile', rows: [1025, 257], features: 133, offset: 0 },
  { name: '1,000 classes', rows: repeat([3, 1, 20, 16], 250), features: 32, offset: 0 },
  { name: 'mean 1,000 times the spread', rows: [700, 90], features: 77, offset: 1000 },
  { name: 'wide', rows: [90, 400], features: 1030, offset: 3 },
]

/** Runs every kernel on every shape on `gpu` and on `cpu`. Throws, naming kernel and shape, where they differ by more than the kernel's tolerance. */
export async function checkParity(gpu: Context, cpu: Context): Promise<string> {
  for (const shape of parityShapes) {
    const expected = await results(cpu, shape)
    for (const [at, { kernel, values }] of (await results(gpu, shape)).entries()) {
      compare(`${kernel.id}, ${shape.name}`, kernel.tolerance, values, (expected[at] as { values: ArrayLike<number> }).values)
    }
  }
  return `every kernel and the leading directions agree with the TypeScript twins on ${parityShapes.length} shapes`
}

async function results(context: Context, { rows, features, offset }: ParityShape) {
  const rng = new Rng(1)
  const labels = rows.flatMap((count, c) => new Array<number>(count).fill(c))
  const data = Float32Array.from({ length: labels.length * features }, (_, i) => offset + rng.normal() * (1 + (i % features) / 8))
  using set = await DeviceSet.upload(context, toActivationSet({ activations: { data, rows: labels.length, cols: features }, labels }))
  const cols = set.paddedCols
  const classes = rows.length
  const vectors = (perClass: number) =>
    Float32Array.from({ length: classes * perClass * cols }, (_, i) => (i % cols < features ? rng.normal() : 0))
  const means = await classMeans(set)
  const of = (kernel: { id: string; tolerance: Tolerance }, values: ArrayLike<number>) => ({ kernel, values })
  const found = [
    // As they were before the shift: what the shift leaves may be nothing but rounding.
    of(
      classMeansKernel,
      means.map((value, i) => value + (set.shift[i % cols] as number)),
    ),
    of(gramApplyKernel, (await gramApply(set, [vectors(applyWidth)]))[0] as Float64Array),
    of(projectKernel, await project(set, { centres: means, directions: vectors(10), output: 'coordinates' })),
    of(projectScoresKernel, await project(set, { centres: means, directions: vectors(17), output: 'scores' })),
    of(projectScoresKernel, await project(set, { centres: means, directions: vectors(1), output: 'scores' })),
  ]
  if (classes * cols * cols < 2 ** 24) found.push(of(gramKernel, await gram(set, { first: 0, end: classes })))
  if (classes < 100) {
    // Vectors of close values may differ; the values may not. The GPU's iteration is held against another way to them.
    const { values } = await topEigenvectors(set, 4, context.backend.name === 'webgpu' ? 'filter' : 'auto')
    found.push(of({ id: 'leading eigenvalues', tolerance: { atol: 1e-5, rtol: 1e-4 } }, values))
  }
  const dims = 10
  const points = Float32Array.from({ length: labels.length * dims }, () => rng.normal())
  const { backend } = context
  using own = new ClassedRows(backend, backend.upload({ data: points, rows: labels.length, cols: dims, type: 'f32' }), set.set.starts)
  const { tiles, firstTile } = own.rowTiles(64)
  const run = async <P>(kernel: Kernel<P>, inputs: Parameters<typeof backend.run>[1], params: P) => {
    using output = backend.run(kernel, inputs, params)
    found.push(of(kernel, await backend.read(output)))
  }
  const restarts = 10
  const starts = Float32Array.from({ length: classes * restarts * 2 * (dims + 2) }, () => rng.normal())
  using centres = backend.upload({ data: starts, rows: classes * restarts * 2, cols: dims + 2, type: 'f32' })
  using one = backend.upload({ data: starts.subarray(0, classes * 2 * (dims + 2)), rows: classes * 2, cols: dims + 2, type: 'f32' })
  await run(kmeansStepKernel, [own.x, tiles, firstTile, centres], { classes, restarts, clusters: 2 })
  await run(kmeansDistancesKernel, [own.x, tiles, one], { classes, restarts: 1, clusters: 2 })
  using ofRows = silhouette(
    own,
    Uint32Array.from(labels, (_, i) => (i % 3 === 0 ? 1 : 0)),
  )
  found.push(of(silhouetteKernel, await backend.read(ofRows)))
  return found
}

function compare(what: string, { atol, rtol }: Tolerance, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  let scale = 0
  for (let i = 0; i < expected.length; i++) scale = Math.max(scale, Math.abs(expected[i] as number))
  for (let i = 0; i < expected.length; i++) {
    const [got, wanted] = [actual[i] as number, expected[i] as number]
    if (Math.abs(got - wanted) <= atol * scale + rtol * Math.abs(wanted)) continue
    throw new Error(`${what}: value ${i} is ${got}, expected ${wanted} (largest ${scale})`)
  }
}
