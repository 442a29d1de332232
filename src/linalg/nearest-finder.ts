import type { Context, HostMatrix, Kernel, Shape } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { inTurns } from '../core/turns.js'
import { sampleMatrix } from '../kernels/sample.js'
import { nearestRows, type ReferenceRows } from './nearest-rows.js'

export interface NearestParams {
  readonly k: number
}

/**
 * The k references nearest to each row. Inputs: rows `[n, cols]`, each one's own reference `[n, 1]` uint32, which is left out (count: it has
 * none), references `[count, cols]`; cols a multiple of four. Output `[n, k]` numbers of references, nearest first, ties to the lower
 * number, −1 where there are fewer. For backends that compute on the CPU. Tolerance: none; float64 settles the order.
 */
export const nearestRowsKernel: Kernel<NearestParams> = {
  id: 'nearest-rows',
  wasm: 'nearest-rows',
  tolerance: { atol: 0, rtol: 0 },
  plan([rows]: readonly Shape[], { k }) {
    return { output: { rows: (rows as Shape).rows, cols: k, type: 'f32' }, scratch: [], passes: [] }
  },
  *cpu([rows, own, references]: readonly HostMatrix[], { k }, output) {
    const { data, rows: count, cols } = references as HostMatrix
    output.fill(-1)
    // Row i is no neighbour of the reference that is told to be its own: that one gets the row's number, the others none of any row.
    const rowOf = new Uint32Array(count).fill(2 ** 32 - 1)
    ;(own as HostMatrix).data.forEach((reference, i) => {
      if (reference < count) rowOf[reference] = i
    })
    const visit = (i: number, neighbours: Uint32Array) => output.set(neighbours.subarray(0, k), i * k)
    yield* nearestRows(
      { data: (rows as HostMatrix).data as Float32Array, firstRow: 0 },
      { data: data as Float32Array, count, cols, rowOf },
      { k, visit },
    )
  },
  sample() {
    const own: HostMatrix = { data: Uint32Array.of(3, 9, 9), rows: 3, cols: 1, type: 'u32' }
    return { inputs: [sampleMatrix(3, 8), own, sampleMatrix(9, 8)], params: { k: 4 } }
  },
}

/** Finds neighbours among one set of references, block of rows by block of rows. */
export interface NearestFinder extends Disposable {
  /** Gives `visit` the neighbours of each of `rows`, `[n, cols]`, as `nearestRows` does. */
  find(rows: { data: Float32Array; firstRow: number }, visit: (i: number, neighbours: Uint32Array) => void): Promise<void>
}

/** By a kernel where the backend computes on the CPU and has one, else on the host: float64 decides in both. */
export function nearestFinder({ backend, signal }: Context, references: ReferenceRows, k: number): NearestFinder {
  const { count, cols, rowOf } = references
  if (!backend.runsForms) {
    return { find: (rows, visit) => inTurns(nearestRows(rows, references, { k, visit }), signal), [dispose]: () => undefined }
  }
  const ownOf = new Map(Array.from(rowOf, (row, r) => [row, r]))
  const width = Math.ceil(cols / 4) * 4
  const held = backend.upload({ data: widened(references.data, cols, width), rows: count, cols: width, type: 'f32' })
  return {
    async find({ data, firstRow }, visit) {
      const rows = data.length / cols
      const own = Uint32Array.from({ length: rows }, (_, i) => ownOf.get(firstRow + i) ?? count)
      using x = backend.upload({ data: widened(data, cols, width), rows, cols: width, type: 'f32' })
      using ownColumn = backend.upload({ data: own, rows, cols: 1, type: 'u32' })
      using found = backend.run(nearestRowsKernel, [x, ownColumn, held], { k })
      const numbers = await backend.read(found)
      const neighbours = new Uint32Array(k)
      for (let i = 0; i < rows; i++) {
        let length = 0
        while (length < k && (numbers[i * k + length] as number) >= 0) neighbours[length] = numbers[i * k + length++] as number
        visit(i, neighbours.subarray(0, length))
      }
    },
    [dispose]: () => held[dispose](),
  }
}

/** Rows of `cols` values with zeros behind them, which change no distance. */
function widened(data: Float32Array, cols: number, width: number): Float32Array {
  if (width === cols) return data
  const rows = data.length / cols
  const out = new Float32Array(rows * width)
  for (let i = 0; i < rows; i++) out.set(data.subarray(i * cols, (i + 1) * cols), i * width)
  return out
}
