import type { DeviceMatrix, HostMatrix, Kernel, Shape } from '../core/backend.js'
import type { ClassBatch, DeviceSet } from '../core/device-set.js'
import { reusedFloats, sharedFloats } from '../core/shared-floats.js'
import { uploadPart } from './class-parts.js'
import { sampleMatrix, sampleRows } from './sample.js'

const rowsPerTile = 64

export interface ProjectParams {
  /** `coordinates`: `[n, directions]`; `scores`: the sum of their squares, `[n, 1]`. */
  readonly output: 'coordinates' | 'scores'
}

/**
 * (row − mean of its class) · (directions of its class). Inputs: x `[n, d]`, means `[classes, d]`, directions `[classes · k, d]` (one a
 * row), row tiles. Output: coordinates `[n, k]`, or scores `[n, 1]`, the sums of their squares.
 * Tolerance: a sum of d products; 1e-5 of the largest output covers d in the thousands.
 */
export const projectKernel: Kernel<ProjectParams> = {
  id: 'project',
  wasm: 'project',
  shader: 'project',
  tolerance: { atol: 1e-5, rtol: 1e-5 },
  plan([x, means, directions, tiles]: readonly Shape[], { output }) {
    const { rows, cols } = x as Shape
    const width = (directions as Shape).rows / (means as Shape).rows
    const count = (tiles as Shape).rows
    const scores = output === 'scores'
    const passes = []
    for (let first = 0; first < width; first += 16) {
      passes.push({
        entryPoint: 'project',
        uniforms: [cols, count, width, first, scores ? 1 : 0],
        workgroups: count,
        bindings: [{ input: 0 }, { input: 1 }, { input: 2 }, { input: 3 }, 'output' as const],
      })
    }
    return { output: { rows, cols: scores ? 1 : width, type: 'f32' }, scratch: [], passes }
  },
  *cpu([x, means, directions, tiles]: readonly HostMatrix[], params, output) {
    const { data, cols } = x as HostMatrix
    const width = (directions as HostMatrix).rows / (means as HostMatrix).rows
    const tile = (tiles as HostMatrix).data
    const mean = (means as HostMatrix).data
    const v = (directions as HostMatrix).data
    const centred = new Float64Array(cols)
    for (let t = 0; t < (tiles as HostMatrix).rows; t++) {
      const start = tile[t * 4 + 1] as number
      const end = start + (tile[t * 4 + 2] as number)
      const class_ = tile[t * 4] as number
      for (let row = start; row < end; row++) {
        for (let j = 0; j < cols; j++) centred[j] = (data[row * cols + j] as number) - (mean[class_ * cols + j] as number)
        let score = 0
        for (let k = 0; k < width; k++) {
          const coordinate = dot(centred, v, (class_ * width + k) * cols)
          if (params.output === 'coordinates') output[row * width + k] = coordinate
          else score += coordinate * coordinate
        }
        if (params.output === 'scores') output[row] = score
      }
      yield
    }
  },
  sample() {
    const { x, means, tiles } = sampleRows(36)
    return { inputs: [x, means, sampleMatrix(2 * 17, 36), tiles], params: { output: 'coordinates' } }
  },
}

/** The same for scores: a kernel of its own, because a kernel is held against its twin once, on one sample. */
export const projectScoresKernel: Kernel<ProjectParams> = {
  ...projectKernel,
  id: 'project-scores',
  sample: () => ({ ...projectKernel.sample(), params: { output: 'scores' } }),
}

function dot(row: Float64Array, v: ArrayLike<number>, offset: number): number {
  let sum = 0
  for (let j = 0; j < row.length; j++) sum += (row[j] as number) * (v[offset + j] as number)
  return sum
}

export interface ClassProjection extends ProjectParams {
  /** `[classes, d]`, subtracted from the rows of each class first. */
  readonly centres: Float32Array
  /** `[classes · k, d]`, a direction a row. */
  readonly directions: Float32Array
}

/** Values of a row. */
const widthOf = ({ centres, directions, output }: ClassProjection) => (output === 'scores' ? 1 : directions.length / centres.length)

/** Consecutive rows of a class, in class order of those that were projected. */
export interface Stretch {
  readonly classIndex: number
  /** Where the first of them stands. */
  readonly position: number
  /** `[rows, k]`, or scores. */
  readonly values: Float32Array
}

/** Some classes of a block, and where its rows lie. */
export interface ProjectedBatch {
  readonly batch: ClassBatch
  /** `[rows of the block, k]`, or scores; those of other classes are left open. */
  readonly values: Float32Array
}

/**
 * Projects every row of the set, or those at `positions` of class order, which rise, in one pass, batch by batch. What a batch holds is
 * good until the next one is asked for.
 */
export async function* projectedBatches(
  set: DeviceSet,
  projection: ClassProjection,
  positions?: Uint32Array,
): AsyncGenerator<ProjectedBatch, void, undefined> {
  const { centres, directions, output } = projection
  const { backend } = set.context
  const cols = set.paddedCols
  const perClass = directions.length / centres.length
  const width = widthOf(projection)
  const room = reusedFloats()
  for await (const batch of set.batches(() => (perClass + 1) * cols * 4, { positions })) {
    using centre = uploadPart(backend, centres, { ...batch.batch, cols })
    using own = uploadPart(backend, directions, { ...batch.batch, cols, perClass })
    using ofBlock = runProject(batch, { centres: centre, directions: own, output })
    yield { batch, values: await backend.read(ofBlock, room(ofBlock.rows * width)) }
  }
}

/** The same stretch by stretch, class by class in each block. */
export async function* projections(
  set: DeviceSet,
  projection: ClassProjection,
  positions?: Uint32Array,
): AsyncGenerator<Stretch, void, undefined> {
  const width = widthOf(projection)
  for await (const { batch, values } of projectedBatches(set, projection, positions)) yield* stretches(batch, values, width)
}

/** The same at once: coordinates `[n, k]` or scores `[n]`, in class order, on the host. Every batch is shown to `look` before the next one is asked for. */
export async function project(
  set: DeviceSet,
  projection: ClassProjection,
  {
    positions,
    look,
  }: { readonly positions?: Uint32Array | undefined; readonly look?: ((batch: ProjectedBatch) => Promise<void>) | undefined } = {},
): Promise<Float32Array> {
  const width = widthOf(projection)
  const length = (positions?.length ?? set.rows) * width
  const projected = projection.output === 'scores' ? new Float32Array(length) : sharedFloats(length) // threads go on with them
  for await (const one of projectedBatches(set, projection, positions)) {
    for (const { values, position } of stretches(one.batch, one.values, width)) projected.set(values, position * width)
    await look?.(one)
  }
  return projected
}

/** Projects the rows of a batch, whose centres and directions are on the backend: `[rows of the block, k]`, or scores; rows of other classes are left open. */
export function runProject(
  { rows, batch }: Pick<ClassBatch, 'rows' | 'batch'>,
  { centres, directions, output }: ProjectParams & { readonly centres: DeviceMatrix; readonly directions: DeviceMatrix },
): DeviceMatrix {
  const kernel = output === 'scores' ? projectScoresKernel : projectKernel
  return rows.backend.run(kernel, [rows.x, centres, directions, rows.rowTiles(rowsPerTile, batch).tiles], { output })
}

/** `values: [rows of the block, width]` class by class, each with its place in class order. */
export function* stretches(
  { rows: { starts }, positions, batch }: ClassBatch,
  values: Float32Array,
  width: number,
): Generator<Stretch, void, void> {
  for (let c = batch.first; c < batch.end; c++) {
    yield {
      classIndex: c,
      position: positions[c] as number,
      values: values.subarray((starts[c] as number) * width, (starts[c + 1] as number) * width),
    }
  }
}
