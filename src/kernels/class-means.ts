import type { DeviceMatrix, HostMatrix, Kernel, Shape } from '../core/backend.js'
import type { ClassBatch, DeviceSet } from '../core/device-set.js'
import { sampleRows } from './sample.js'

const rowsPerTile = 128

/**
 * Column means of every class. Inputs: x `[n, d]`, row tiles, first tile of each class. Output `[classes, d]`.
 * Tolerance: a tile's 128 values are summed in trees of 8, so the error is at most (3 + 16 + tiles of the class) · 2⁻²⁴ of the mean
 * |x|; x is shifted by the data set's mean, and 1e-5 of the largest mean leaves room for a thousand tiles.
 */
export const classMeansKernel: Kernel<void> = {
  id: 'class-means',
  wasm: 'class-means',
  shader: 'class-means',
  tolerance: { atol: 1e-5, rtol: 1e-5 },
  plan([x, tiles, firstTile]: readonly Shape[]) {
    const { cols } = x as Shape
    const count = (tiles as Shape).rows
    const classes = (firstTile as Shape).rows - 1
    const blocks = Math.ceil(cols / 256)
    const uniforms = [cols, count, classes, blocks]
    const read = [{ input: 0 }, { input: 1 }]
    return {
      output: { rows: classes, cols, type: 'f32' },
      scratch: [{ rows: count, cols, type: 'f32' }],
      passes: [
        { entryPoint: 'sumTiles', uniforms, workgroups: count * blocks, bindings: [...read, null, { scratch: 0 }] },
        {
          entryPoint: 'finish',
          uniforms,
          workgroups: Math.ceil((classes * cols) / (4 * 64)),
          bindings: [null, { input: 1 }, { input: 2 }, { scratch: 0 }, 'output'],
        },
      ],
    }
  },
  *cpu([x, tiles, firstTile]: readonly HostMatrix[], _params, output) {
    const { data, cols } = x as HostMatrix
    const tile = (tiles as HostMatrix).data
    const first = (firstTile as HostMatrix).data
    const sums = new Float64Array(cols)
    for (let c = 0; c + 1 < first.length; c++) {
      sums.fill(0)
      let rows = 0
      for (let t = first[c] as number; t < (first[c + 1] as number); t++) {
        const start = tile[t * 4 + 1] as number
        const count = tile[t * 4 + 2] as number
        addRows(data, start, start + count, sums)
        rows += count
        yield
      }
      for (let j = 0; j < cols; j++) output[c * cols + j] = (sums[j] as number) / Math.max(rows, 1)
    }
  },
  sample() {
    const { x, tiles, firstTile } = sampleRows(68)
    return { inputs: [x, tiles, firstTile], params: undefined }
  },
}

function addRows(data: ArrayLike<number>, start: number, end: number, sums: Float64Array): void {
  const cols = sums.length
  for (let row = start, at = start * cols; row < end; row++) {
    for (let j = 0; j < cols; j++, at++) sums[j] = (sums[j] as number) + (data[at] as number)
  }
}

/** Means of a batch's rows: `[classes of the batch, d]`. */
export function runClassMeans({ rows, batch }: Pick<ClassBatch, 'rows' | 'batch'>): DeviceMatrix {
  const { tiles, firstTile } = rows.rowTiles(rowsPerTile, batch)
  return rows.backend.run(classMeansKernel, [rows.x, tiles, firstTile], undefined)
}

/** Means `[classes, paddedCols]` of a set's shifted rows; kept with the set. `known` where a pass has found them already. */
export function classMeans(set: DeviceSet, known?: Float32Array): Promise<Float32Array> {
  return set.keep('class-means', async () => {
    if (known) return known
    const { backend } = set.context
    const cols = set.paddedCols
    const means = new Float64Array(set.set.classes.length * cols)
    for await (const { rows, batch } of set.batches((count) => (Math.ceil(count / rowsPerTile) + 1) * cols * 4)) {
      using ofBlock = runClassMeans({ rows, batch })
      const values = await backend.read(ofBlock)
      for (let c = batch.first; c < batch.end; c++) {
        const share = ((rows.starts[c + 1] as number) - (rows.starts[c] as number)) / (set.set.classes[c] as { rows: number }).rows
        const from = (c - batch.first) * cols
        for (let j = 0; j < cols; j++) means[c * cols + j] = (means[c * cols + j] as number) + share * (values[from + j] as number)
      }
    }
    return Float32Array.from(means)
  })
}
