import type { HostMatrix, Kernel } from '../../src/core/backend.js'
import { Rng } from '../../src/core/rng.js'
import { classMeansKernel } from '../../src/kernels/class-means.js'
import { gramKernel } from '../../src/kernels/gram.js'
import { applyWidth, gramApplyKernel } from '../../src/kernels/gram-apply.js'
import { kmeansStepKernel } from '../../src/kernels/kmeans.js'
import { projectKernel } from '../../src/kernels/project.js'
import { silhouetteKernel } from '../../src/kernels/silhouette.js'

export interface Size {
  readonly classes: number
  readonly rowsPerClass: number
  readonly cols: number
}

/** A kernel with inputs of one size. */
export interface KernelCase {
  readonly kernel: Kernel<unknown>
  readonly inputs: readonly HostMatrix[]
  readonly params: unknown
  /** Additions, multiplications, comparisons and roots, as the algorithm needs them. */
  readonly operations: number
}

const dims = 10
const restarts = 10
const clusters = 2

/**
 * One case for each kernel, as the detectors use them: 16 directions in gram-apply, 10 in project, 10 restarts of 2-means. Of float32 inputs
 * only the first `rowsMade` rows are made, where the caller repeats them.
 */
export function kernelCases({ classes, rowsPerClass, cols }: Size, rowsMade = Number.POSITIVE_INFINITY): KernelCase[] {
  const n = classes * rowsPerClass
  const rng = new Rng(1)
  const random = (rows: number, columns: number): HostMatrix => ({
    data: Float32Array.from({ length: Math.min(rows, rowsMade) * columns }, () => rng.normal()),
    rows,
    cols: columns,
    type: 'f32',
  })
  const x = random(n, cols)
  const means = random(classes, cols)
  const points = random(n, dims)
  const clusterOf = Uint32Array.from({ length: n }, () => rng.below(2))
  const sizes = new Uint32Array(classes * 4)
  for (let i = 0; i < n; i++) {
    const at = Math.floor(i / rowsPerClass) * 4 + (clusterOf[i] as number)
    sizes[at] = (sizes[at] as number) + 1
  }
  const starts = Uint32Array.from({ length: classes + 1 }, (_, c) => c * rowsPerClass)
  const tiles = (rowsPerTile: number) => rowTiles({ classes, rowsPerClass, cols }, rowsPerTile)
  const one = <P>(kernel: Kernel<P>, inputs: readonly HostMatrix[], operations: number, params?: unknown): KernelCase => ({
    kernel: kernel as unknown as Kernel<unknown>,
    inputs,
    params,
    operations,
  })
  return [
    one(classMeansKernel, [x, ...tiles(128)], n * cols),
    one(gramKernel, [x, means, ...tiles(512)], n * cols + n * cols * (cols + 1)),
    one(gramApplyKernel, [x, means, random(classes * applyWidth, cols), ...tiles(128)], n * cols + 4 * applyWidth * n * cols),
    one(projectKernel, [x, means, random(classes * dims, cols), tiles(64)[0]], n * cols + 2 * dims * n * cols, { output: 'coordinates' }),
    one(
      kmeansStepKernel,
      [points, ...tiles(64), random(classes * restarts * clusters, dims + 2)],
      n * restarts * (clusters * 3 * dims + dims + 2),
      { classes, restarts, clusters },
    ),
    one(
      silhouetteKernel,
      [points, column(clusterOf), tiles(64)[0], column(starts), { data: sizes, rows: classes, cols: 4, type: 'u32' }],
      classes * rowsPerClass ** 2 * (3 * dims + 2),
    ),
  ]
}

function column(data: Uint32Array): HostMatrix {
  return { data, rows: data.length, cols: 1, type: 'u32' }
}

/** Tiles and first tiles, as `ClassedRows.rowTiles` makes them. */
function rowTiles({ classes, rowsPerClass }: Size, rowsPerTile: number): [HostMatrix, HostMatrix] {
  const entries: number[] = []
  const firstTile = new Uint32Array(classes + 1)
  for (let c = 0; c < classes; c++) {
    for (let row = 0; row < rowsPerClass; row += rowsPerTile) {
      entries.push(c, c * rowsPerClass + row, Math.min(rowsPerTile, rowsPerClass - row), c)
    }
    firstTile[c + 1] = entries.length / 4
  }
  return [{ data: Uint32Array.from(entries), rows: entries.length / 4, cols: 4, type: 'u32' }, column(firstTile)]
}
