import type { Backend, DeviceMatrix, HostMatrix, Kernel, Shape } from '../core/backend.js'
import type { ClassRange } from '../core/classed-rows.js'
import type { ClassBatch, DeviceSet } from '../core/device-set.js'
import { dispose } from '../core/dispose.js'
import { eigenCost } from '../core/eigen-cost.js'
import { reusedFloats, sharedFloats } from '../core/shared-floats.js'
import { runClassMeans } from '../kernels/class-means.js'
import { gramKernel } from '../kernels/gram.js'
import { runProject, stretches } from '../kernels/project.js'
import { sampleMatrix, sampleRows } from '../kernels/sample.js'
import { type EigenpairsParams, gramEigenpairsKernel } from './gram-eigenpairs.js'

const rowsPerTile = 512
/** Coordinates of a row that are kept: more would come to a good part of what the rows themselves take. */
const mostKept = 16

/**
 * The k leading eigenpairs of every class's centred XᵀX. Inputs: x `[n, d]`, means `[classes, d]`, row tiles, first tiles, a start block
 * `[width, d]`. Output `[classes · k, d + 1]`: a unit vector (of either sign) and its eigenvalue a row, zeros where a class has fewer rows or columns.
 * For backends that compute on the CPU: a GPU leaves what comes after the Gram matrix to the host.
 * Tolerance: float32 Gram entries; single vectors are only defined up to their gaps, so hold eigenvalues or scores against it.
 */
export const classEigenpairsKernel: Kernel<EigenpairsParams> = {
  id: 'class-eigenpairs',
  wasm: 'class-eigenpairs',
  tolerance: { atol: 1e-5, rtol: 1e-5 },
  plan([x, , , firstTile]: readonly Shape[], { k }) {
    const classes = (firstTile as Shape).rows - 1
    return { output: { rows: classes * k, cols: (x as Shape).cols + 1, type: 'f32' }, scratch: [], passes: [] }
  },
  *cpu(inputs: readonly HostMatrix[], { k }, output) {
    const { cols } = inputs[0] as HostMatrix
    const classes = (inputs[3] as HostMatrix).data.length - 1
    const grams = new Float32Array(classes * cols * cols)
    yield* gramKernel.cpu(inputs, undefined, grams)
    const matrices: HostMatrix = { data: grams, rows: classes * cols, cols, type: 'f32' }
    yield* gramEigenpairsKernel.cpu([matrices, inputs[4] as HostMatrix], { k }, output)
  },
  sample() {
    const { x, means, tiles, firstTile } = sampleRows(36)
    return { inputs: [x, means, tiles, firstTile, sampleMatrix(16, 36)], params: { k: 4 } }
  },
}

/** What one pass over the rows of whole classes gives. */
export interface ClassPass {
  /** `[classes, d]` */
  readonly means: Float32Array
  /** `[n, k]` in class order: the rows of each class, about its mean, along its directions. Null where the rows stay at hand, and where k is more than 16. */
  readonly coordinates: Float32Array | null
}

interface PassOptions {
  readonly k: number
  /** `[width, d]` where the iteration starts. */
  readonly start: Float32Array
  /** `[classes of the range · k, d]` of the kernel's output for it. */
  readonly directionsOf: (pairs: Float32Array, range: ClassRange) => Float32Array
}

/** Everything that the rows of a class are wanted for at first, while they are at hand. Every class lies in one block. */
export async function passOverClasses(set: DeviceSet, { k, start, directionsOf }: PassOptions): Promise<ClassPass> {
  const { backend } = set.context
  const cols = set.paddedCols
  const means = new Float32Array(set.set.classes.length * cols)
  const coordinates = set.isGathered && k <= mostKept ? sharedFloats(set.rows * k) : null
  const room = reusedFloats()
  using startBlock = backend.upload({ data: start, rows: start.length / cols, cols, type: 'f32' })
  const held = set.mostHeld
  const inputs = { startBlock, k, isPaired: held === 2 }
  /** Those that are not finished: solved for while threads are at work on the next. */
  const begun: Begun[] = []
  const finishOne = async () => {
    const { block, centres, solved } = begun[0] as Begun
    const { batch } = block
    const found = directionsOf(await backend.read(solved, room(solved.rows * solved.cols)), batch)
    await backend.read(centres, means.subarray(batch.first * cols))
    if (coordinates) {
      using directions = backend.upload({ data: found, rows: (batch.end - batch.first) * k, cols, type: 'f32' })
      using projected = runProject(block, { centres, directions, output: 'coordinates' })
      for (const { values, position } of stretches(block, await backend.read(projected), k)) coordinates.set(values, position * k)
    }
    forget(begun.shift() as Begun)
  }
  try {
    for await (const block of set.batches(() => cols * cols * 4, { held })) {
      begun.push(begin(backend, block, inputs))
      const left = block.batch.end === set.allClasses.end ? 0 : held - 1
      while (begun.length > left) await finishOne()
    }
  } finally {
    begun.forEach(forget)
  }
  return { means, coordinates }
}

/** A batch whose eigenpairs are being found. */
interface Begun {
  readonly block: ClassBatch
  readonly centres: DeviceMatrix
  readonly solved: DeviceMatrix
}

interface BeginOptions {
  readonly startBlock: DeviceMatrix
  readonly k: number
  /** Whether other threads can go on with the next batch. */
  readonly isPaired: boolean
}

function begin(backend: Backend, block: ClassBatch, { startBlock, k, isPaired }: BeginOptions): Begun {
  const { rows, batch } = block
  const { tiles, firstTile } = rows.rowTiles(rowsPerTile, batch)
  const centres = runClassMeans(block)
  const inputs = [rows.x, centres, tiles, firstTile]
  if (!isPaired || !isOneMatrix(block, startBlock.rows))
    return { block, centres, solved: backend.run(classEigenpairsKernel, [...inputs, startBlock], { k }) }
  using matrices = backend.run(gramKernel, inputs, undefined)
  return { block, centres, solved: (backend as Required<Backend>).runBeside(gramEigenpairsKernel, [matrices, startBlock], { k }) }
}

/** Whether there is one Gram matrix to be solved, which cannot be shared out. */
function isOneMatrix({ rows, batch }: ClassBatch, width: number): boolean {
  if (batch.end - batch.first > 1) return false
  const count = (rows.starts[batch.end] as number) - (rows.starts[batch.first] as number)
  const { gram, dual } = eigenCost(count, rows.x.cols, width)
  return gram <= dual
}

function forget({ centres, solved }: Begun): void {
  centres[dispose]()
  solved[dispose]()
}
