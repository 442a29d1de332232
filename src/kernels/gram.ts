import type { DeviceMatrix, HostMatrix, Kernel, Shape } from '../core/backend.js'
import { largestClass } from '../core/class-order.js'
import type { ClassRange } from '../core/classed-rows.js'
import type { ClassBatch, DeviceSet } from '../core/device-set.js'
import { reusedFloats } from '../core/shared-floats.js'
import { classMeans, runClassMeans } from './class-means.js'
import { addPart, uploadPart } from './class-parts.js'
import { sampleRows } from './sample.js'

const rowsPerTile = 512

/**
 * Centred Gram matrices XᵀX of a batch of classes. Inputs: x `[n, d]`, means `[classes, d]`, row tiles and first tiles. Output `[classes · d, d]`, exactly symmetric.
 * Tolerance: products are summed within 512 rows and tiles in order; measured 3e-7 of Σ|ab|, and the largest entry is a diagonal one,
 * Σa², so 1e-5 of it is ample.
 */
export const gramKernel: Kernel<void> = {
  id: 'gram',
  wasm: 'gram',
  shader: 'gram',
  tolerance: { atol: 1e-5, rtol: 1e-5 },
  plan([x, , tiles, firstTile]: readonly Shape[]) {
    const { cols } = x as Shape
    const count = (tiles as Shape).rows
    const classes = (firstTile as Shape).rows - 1
    const { blocks, pairs } = blockPairs(cols)
    const uniforms = [cols, count, classes, blocks, pairs]
    return {
      output: { rows: classes * cols, cols, type: 'f32' },
      scratch: [{ rows: count * pairs, cols: 4096, type: 'f32' }],
      passes: [
        {
          entryPoint: 'blockProducts',
          uniforms,
          workgroups: count * pairs,
          bindings: [{ input: 0 }, { input: 1 }, { input: 2 }, null, { scratch: 0 }],
        },
        {
          entryPoint: 'finish',
          uniforms,
          workgroups: classes * pairs * (1024 / 64),
          bindings: [null, null, null, { input: 3 }, { scratch: 0 }, 'output'],
        },
      ],
    }
  },
  *cpu([x, means, tiles, firstTile]: readonly HostMatrix[], _params, output) {
    const { data, cols } = x as HostMatrix
    const tile = (tiles as HostMatrix).data
    const first = (firstTile as HostMatrix).data
    const total = new Float64Array(cols * cols)
    const rowsAtOnce = 4
    const centred = new Float64Array(rowsAtOnce * cols)
    for (let c = 0; c + 1 < first.length; c++) {
      total.fill(0)
      for (let t = first[c] as number; t < (first[c + 1] as number); t++) {
        const start = tile[t * 4 + 1] as number
        const end = start + (tile[t * 4 + 2] as number)
        const mean = (means as HostMatrix).data.subarray(c * cols, (c + 1) * cols)
        for (let row = start; row < end; row += rowsAtOnce) {
          centreRows(data, mean, { start: row, end: Math.min(row + rowsAtOnce, end) }, centred)
          addOuterProducts(centred, cols, total)
          if ((row - start) % 64 === 0) yield
        }
      }
      const at = c * cols * cols
      for (let i = 0; i < cols; i++) {
        for (let j = i; j < cols; j++) {
          const value = total[i * cols + j] as number
          output[at + i * cols + j] = value
          output[at + j * cols + i] = value
        }
      }
    }
  },
  sample() {
    const { x, means, tiles, firstTile } = sampleRows(68)
    return { inputs: [x, means, tiles, firstTile], params: undefined }
  },
}

/** Blocks of 64 columns, and the pairs of them in an upper triangle. */
function blockPairs(cols: number): { blocks: number; pairs: number } {
  const blocks = Math.ceil(cols / 64)
  return { blocks, pairs: (blocks * (blocks + 1)) / 2 }
}

/** Writes up to four centred rows into `centred`, zeros where there are fewer. */
function centreRows(data: ArrayLike<number>, mean: ArrayLike<number>, rows: { start: number; end: number }, centred: Float64Array): void {
  const cols = mean.length
  centred.fill(0)
  for (let row = rows.start, to = 0; row < rows.end; row++) {
    for (let j = 0, at = row * cols; j < cols; j++, at++, to++) centred[to] = (data[at] as number) - (mean[j] as number)
  }
}

/** total += Σ rowᵀ·row over four rows, upper triangle: four products for each load and store of a sum. */
function addOuterProducts(centred: Float64Array, cols: number, total: Float64Array): void {
  for (let i = 0; i < cols; i++) {
    const a0 = centred[i] as number
    const a1 = centred[cols + i] as number
    const a2 = centred[2 * cols + i] as number
    const a3 = centred[3 * cols + i] as number
    for (let j = i, at = i * cols + i; j < cols; j++, at++) {
      total[at] =
        (total[at] as number) +
        a0 * (centred[j] as number) +
        a1 * (centred[cols + j] as number) +
        a2 * (centred[2 * cols + j] as number) +
        a3 * (centred[3 * cols + j] as number)
    }
  }
}

/** Bytes of one class's matrix together with its scratch: what a batch of classes is cut by. */
export function gramBytesPerClass(rows: number, cols: number): number {
  return Math.ceil(rows / rowsPerTile) * blockPairs(cols).pairs * 4096 * 4 + cols * cols * 4
}

/** Host memory for the matrices of one pass; more of it only where a pass costs reading the rows again. */
const hostBytes = 128 * 2 ** 20

/** How many classes' Gram matrices the host adds up at a time. */
export function gramsPerPass({ context, isReadAgain, paddedCols }: DeviceSet): number {
  const bytes = isReadAgain ? Math.max(hostBytes, context.memory / 4) : hostBytes
  return Math.max(1, Math.floor(bytes / (paddedCols * paddedCols * 8)))
}

/** Whether the products of the largest class fit a buffer of the backend. */
export function gramFits({ set, context, rowsPerBlock, paddedCols }: DeviceSet): boolean {
  return gramBytesPerClass(Math.min(largestClass(set), rowsPerBlock), paddedCols) <= context.backend.maxBindingBytes
}

/** Where every pass reads the rows again and one of them gives the matrices of all classes, finds them. */
export async function earlyGram(set: DeviceSet): Promise<void> {
  if (set.isReadAgain && gramFits(set) && gramsPerPass(set) >= set.set.classes.length) await gram(set, set.allClasses)
}

/**
 * Gram matrices of some classes, on the host: `[classes of the range · d, d]`, not to be written to. Where every pass reads the rows again, those of
 * all classes are found in one, with the classes' means, and kept with the set, if they fit.
 */
export async function gram(set: DeviceSet, range: ClassRange): Promise<Float64Array> {
  if (!set.isReadAgain || gramsPerPass(set) < set.set.classes.length) return await aboutMeans(set, range)
  const all = await set.keep('gram matrices', () => aboutMeansOfBlocks(set))
  const size = set.paddedCols ** 2
  return all.subarray(range.first * size, range.end * size)
}

async function aboutMeans(set: DeviceSet, range: ClassRange): Promise<Float64Array> {
  const { backend } = set.context
  const cols = set.paddedCols
  const means = await classMeans(set)
  const total = new Float64Array((range.end - range.first) * cols * cols)
  const room = reusedFloats()
  for await (const block of set.batches((count) => gramBytesPerClass(count, cols), { range })) {
    using centres = uploadPart(backend, means, { ...block.batch, cols })
    addPart(total, await gramOfBatch(block, centres, room), (block.batch.first - range.first) * cols * cols)
  }
  return total
}

/** Rows are taken about the mean of their class in their block, and blocks joined as by Chan, Golub & LeVeque (The American Statistician 37, 1983, formula 2.1). */
async function aboutMeansOfBlocks(set: DeviceSet): Promise<Float64Array> {
  const { backend } = set.context
  const cols = set.paddedCols
  const classes = set.set.classes.length
  const total = new Float64Array(classes * cols * cols)
  const means = new Float64Array(classes * cols)
  const counts = new Float64Array(classes)
  const room = reusedFloats()
  for await (const block of set.batches((count) => gramBytesPerClass(count, cols))) {
    using centres = runClassMeans(block)
    const own = await backend.read(centres)
    const products = await gramOfBatch(block, centres, room)
    for (let c = block.batch.first; c < block.batch.end; c++) {
      const more = (block.rows.starts[c + 1] as number) - (block.rows.starts[c] as number)
      if (more === 0) continue
      const before = counts[c] as number
      const mean = means.subarray(c * cols, (c + 1) * cols)
      const inBatch = c - block.batch.first
      const apart = mean.map((value, j) => (own[inBatch * cols + j] as number) - value)
      const part = products.subarray(inBatch * cols * cols, (inBatch + 1) * cols * cols)
      join(total.subarray(c * cols * cols, (c + 1) * cols * cols), { part, apart, weight: (before * more) / (before + more) })
      for (let j = 0; j < cols; j++) mean[j] = (mean[j] as number) + ((apart[j] as number) * more) / (before + more)
      counts[c] = before + more
    }
  }
  for (let c = 0; c < classes; c++) mirror(total.subarray(c * cols * cols, (c + 1) * cols * cols), cols)
  await classMeans(set, Float32Array.from(means))
  return total
}

async function gramOfBatch(
  { rows, batch }: ClassBatch,
  centres: DeviceMatrix,
  room: ReturnType<typeof reusedFloats>,
): Promise<Float32Array> {
  const { tiles, firstTile } = rows.rowTiles(rowsPerTile, batch)
  using ofBatch = rows.backend.run(gramKernel, [rows.x, centres, tiles, firstTile], undefined)
  return await rows.backend.read(ofBatch, room(ofBatch.rows * ofBatch.cols))
}

interface Joined {
  /** `[d, d]` products about the part's own mean. */
  readonly part: Float32Array
  /** `[d]` from the mean so far to the part's. */
  readonly apart: Float64Array
  readonly weight: number
}

/** total: `[d, d]`, of which the upper triangle += part + weight · apart·apartᵀ. */
function join(total: Float64Array, { part, apart, weight }: Joined): void {
  const size = apart.length
  for (let i = 0; i < size; i++) {
    const scaled = weight * (apart[i] as number)
    for (let j = i, at = i * size + i; j < size; j++, at++) {
      total[at] = (total[at] as number) + (part[at] as number) + scaled * (apart[j] as number)
    }
  }
}

/** Copies the upper triangle of a `[d, d]` matrix to the lower one. */
function mirror(total: Float64Array, size: number): void {
  for (let i = 1; i < size; i++) for (let j = 0; j < i; j++) total[i * size + j] = total[j * size + i] as number
}
