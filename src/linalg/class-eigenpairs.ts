import type { HostMatrix, Kernel, Shape } from '../core/backend.js'
import type { DeviceSet } from '../core/device-set.js'
import { classMeans } from '../kernels/class-means.js'
import { uploadPart } from '../kernels/class-parts.js'
import { gramKernel } from '../kernels/gram.js'
import { sampleMatrix, sampleRows } from '../kernels/sample.js'
import { symmetricEigenInTurns } from './symmetric-eigen.js'

const rowsPerTile = 512

export interface EigenpairsParams {
  readonly k: number
}

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
    for (let c = 0; c < classes; c++) {
      const { values, vectors } = yield* symmetricEigenInTurns(grams.subarray(c * cols * cols, (c + 1) * cols * cols), cols)
      for (let i = 0; i < Math.min(k, cols); i++) {
        output.set(vectors.subarray(i * cols, (i + 1) * cols), (c * k + i) * (cols + 1))
        output[(c * k + i + 1) * (cols + 1) - 1] = values[i] as number
      }
    }
  },
  sample() {
    const { x, means, tiles, firstTile } = sampleRows(36)
    return { inputs: [x, means, tiles, firstTile, sampleMatrix(16, 36)], params: { k: 4 } }
  },
}

/** The kernel's output for all classes of a set that lies in one block. */
export async function classEigenpairs(set: DeviceSet, k: number, start: Float32Array): Promise<Float32Array> {
  const { backend } = set.context
  const cols = set.paddedCols
  const means = await classMeans(set)
  const pairs = new Float32Array(set.set.classes.length * k * (cols + 1))
  using startBlock = backend.upload({ data: start, rows: start.length / cols, cols, type: 'f32' })
  for await (const { rows, batch } of set.batches(() => cols * cols * 4)) {
    const { tiles, firstTile } = rows.rowTiles(rowsPerTile, batch)
    using centres = uploadPart(backend, means, { ...batch, cols })
    using ofBatch = backend.run(classEigenpairsKernel, [rows.x, centres, tiles, firstTile, startBlock], { k })
    pairs.set(await backend.read(ofBatch), batch.first * k * (cols + 1))
  }
  return pairs
}
