import type { DeviceMatrix, HostMatrix, Kernel, Shape } from '../core/backend.js'
import type { ClassBatch, DeviceSet } from '../core/device-set.js'
import { classMeans } from './class-means.js'
import { addPart, uploadPart } from './class-parts.js'
import { sampleMatrix, sampleRows } from './sample.js'

/** Directions a class in one call: what fits the shader's registers, and enough for ten wanted ones (block Krylov). */
export const applyWidth = 16

const rowsPerTile = 128

/**
 * Z = Xᵀ(X·V) of every class, X centred. Inputs: x `[n, d]`, means `[classes, d]`, directions V `[classes · 16, d]` (one a row), tiles of
 * at most 128 rows, first tiles. Output Z `[classes · 16, d]`.
 * Tolerance: two chained sums of d and n products; measured 2e-7 of Σ|ab| each, so 2e-5 of the largest entry is ample.
 */
export const gramApplyKernel: Kernel<void> = {
  id: 'gram-apply',
  wasm: 'gram-apply',
  shader: 'gram-apply',
  tolerance: { atol: 2e-5, rtol: 2e-5 },
  plan([x, , , tiles, firstTile]: readonly Shape[]) {
    const { cols } = x as Shape
    const count = (tiles as Shape).rows
    const classes = (firstTile as Shape).rows - 1
    const blocks = Math.ceil(cols / 128)
    const uniforms = [cols, count, classes, blocks]
    return {
      output: { rows: classes * applyWidth, cols, type: 'f32' },
      scratch: [
        { rows: count * rowsPerTile, cols: applyWidth, type: 'f32' },
        { rows: count * cols, cols: applyWidth, type: 'f32' },
      ],
      passes: [
        {
          entryPoint: 'multiply',
          uniforms,
          workgroups: count * (rowsPerTile / 64),
          bindings: [{ input: 0 }, { input: 1 }, { input: 2 }, { input: 3 }, null, { scratch: 0 }],
        },
        {
          entryPoint: 'multiplyTransposed',
          uniforms,
          workgroups: count * blocks,
          bindings: [{ input: 0 }, { input: 1 }, null, { input: 3 }, null, { scratch: 0 }, { scratch: 1 }],
        },
        {
          entryPoint: 'finish',
          uniforms,
          workgroups: Math.ceil((classes * cols * (applyWidth / 4)) / 64),
          bindings: [null, null, null, null, { input: 4 }, null, { scratch: 1 }, 'output'],
        },
      ],
    }
  },
  *cpu([x, means, directions, tiles, firstTile]: readonly HostMatrix[], _params, output) {
    const { data, cols } = x as HostMatrix
    const tile = (tiles as HostMatrix).data
    const first = (firstTile as HostMatrix).data
    const sums = new Float64Array(applyWidth * cols)
    const centred = new Float64Array(cols)
    for (let c = 0; c + 1 < first.length; c++) {
      sums.fill(0)
      for (let t = first[c] as number; t < (first[c + 1] as number); t++) {
        const start = tile[t * 4 + 1] as number
        const end = start + (tile[t * 4 + 2] as number)
        const mean = (means as HostMatrix).data.subarray(c * cols, (c + 1) * cols)
        const v = (directions as HostMatrix).data.subarray(c * applyWidth * cols, (c + 1) * applyWidth * cols)
        for (let row = start; row < end; row++) {
          for (let j = 0; j < cols; j++) centred[j] = (data[row * cols + j] as number) - (mean[j] as number)
          addApplied(centred, v, sums)
          if ((row - start) % 64 === 0) yield
        }
      }
      output.set(sums, c * applyWidth * cols)
    }
  },
  sample() {
    const { x, means, tiles, firstTile } = sampleRows(36)
    return { inputs: [x, means, sampleMatrix(2 * applyWidth, 36), tiles, firstTile], params: undefined }
  },
}

/** sums[k] += (row · v[k]) · row for each of the sixteen directions. */
function addApplied(row: Float64Array, v: ArrayLike<number>, sums: Float64Array): void {
  const cols = row.length
  for (let k = 0; k < applyWidth; k++) {
    let y = 0
    for (let j = 0, at = k * cols; j < cols; j++, at++) y += (row[j] as number) * (v[at] as number)
    if (y === 0) continue
    for (let j = 0, at = k * cols; j < cols; j++, at++) sums[at] = (sums[at] as number) + y * (row[j] as number)
  }
}

/** Bytes of one class's directions, results and scratch: what a batch of classes is cut by. */
export function applyBytesPerClass(rows: number, cols: number): number {
  const tiles = Math.ceil(rows / rowsPerTile)
  return (tiles * rowsPerTile + (tiles + 2) * cols) * applyWidth * 4
}

/**
 * Enqueues Z = Xᵀ(X·V) for the classes of a batch. `centres: [classes, d]`; `directions` has V in its first classes · 16 rows. The caller
 * disposes the result `[classes · 16, d]`.
 */
export function runGramApply({ rows, batch }: ClassBatch, centres: DeviceMatrix, directions: DeviceMatrix): DeviceMatrix {
  const { tiles, firstTile } = rows.rowTiles(rowsPerTile, batch)
  return rows.backend.run(gramApplyKernel, [rows.x, centres, directions, tiles, firstTile], undefined)
}

/**
 * Z = Xᵀ(X·V) for every class of the set, in one pass over its rows. `groups` are matrices V of sixteen directions a class,
 * `[classes · 16, d]`; so are the results, on the host.
 */
export async function gramApply(set: DeviceSet, groups: readonly Float32Array[]): Promise<Float64Array[]> {
  const { backend } = set.context
  const cols = set.paddedCols
  const means = await classMeans(set)
  const totals = groups.map((group) => new Float64Array(group.length))
  for await (const block of set.batches((count) => applyBytesPerClass(count, cols))) {
    const { batch } = block
    using centres = uploadPart(backend, means, { ...batch, cols })
    for (const [index, group] of groups.entries()) {
      using directions = uploadPart(backend, group, { ...batch, cols, perClass: applyWidth })
      using ofBlock = runGramApply(block, centres, directions)
      addPart(totals[index] as Float64Array, await backend.read(ofBlock), batch.first * applyWidth * cols)
    }
  }
  return totals
}
