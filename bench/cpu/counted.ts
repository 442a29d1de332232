import type { Backend, DeviceMatrix, Kernel } from '../../src/core/backend.js'

/** Operations of kernels, by id, from the shapes of their inputs and output: two a multiply-add. Of a Gram matrix one triangle is computed, and so is its rate counted. */
const operationsOf: Readonly<Record<string, (inputs: readonly DeviceMatrix[], output: DeviceMatrix, params: unknown) => number>> = {
  'class-means': ([x]) => size(x),
  gram: ([x]) => gramOperations(x?.rows ?? 0, x?.cols ?? 0),
  'gram-apply': ([x]) => 4 * 16 * size(x),
  'gram-eigenpairs': ([matrices]) => 2 * size(matrices) * (matrices?.cols ?? 0),
  project: ([x, means, directions]) => 2 * size(x) * ((directions?.rows ?? 0) / (means?.rows ?? 1)),
  'project-scores': ([x, means, directions]) => 2 * size(x) * ((directions?.rows ?? 0) / (means?.rows ?? 1)),
  'kmeans-lloyd': ([x], _output, params) => {
    const { clusters, restarts, steps } = params as { clusters: number; restarts: number; steps: number }
    return 3 * size(x) * clusters * restarts * steps
  },
  'kmeans-distances': ([x], _output, params) => 3 * size(x) * (params as { clusters: number }).clusters,
  'silhouette-sample': ([x], output) => 3 * size(x) * output.rows,
  silhouette: ([x, , , starts]) => (3 * size(x) * (x?.rows ?? 0)) / Math.max(1, (starts?.rows ?? 2) - 1),
  'non-finite': ([x]) => size(x),
  'place-rows': ([x]) => size(x),
  'row-sketch': ([x]) => 4 * size(x),
  'nearest-rows': ([x, , , references]) => 2 * size(x) * (references?.rows ?? 0),
  'neighbour-votes': ([x, , , references]) => 2 * size(x) * (references?.rows ?? 0),
}

export const gramOperations = (rows: number, cols: number) => rows * cols * (cols + 1)

const size = (matrix: DeviceMatrix | undefined) => (matrix ? matrix.rows * matrix.cols : 0)

/** The backend, with the operations of all that it runs added up. Throws where nobody has said how a kernel's are counted. */
export function counting(backend: Backend): { backend: Backend; operations: () => number } {
  let operations = 0
  const run = <P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P, into?: DeviceMatrix): DeviceMatrix => {
    const output = backend.run(kernel, inputs, params, into)
    const count = operationsOf[kernel.id]
    if (!count) throw new Error(`nobody has said how the operations of ${kernel.id} are counted`)
    operations += count(inputs, output, params)
    return output
  }
  const counted = new Proxy(backend, {
    get(target, property) {
      if (property === 'run') return run
      const value = Reflect.get(target, property, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { backend: counted, operations: () => operations }
}
