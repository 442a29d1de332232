import type { HostMatrix, Kernel, Shape } from './backend.js'

export interface PlaceRowsParams {
  /** Rows of the output. */
  readonly rows: number
}

/** The place of a row that is not to be copied. */
export const nowhere = 2 ** 32 - 1

const valuesPerTurn = 2 ** 16

/**
 * Copies rows to their places in a larger matrix, less a shift. Inputs: rows `[n, d]`, places `[n, 1]` (uint32: a row of the output, or
 * `nowhere`), shift `[1, cols]`, cols ≥ d. Output `[rows, cols]`: columns from d on get 0, rows that nothing is placed in stay as they are.
 * Tolerance: one subtraction.
 */
export const placeRowsKernel: Kernel<PlaceRowsParams> = {
  id: 'place-rows',
  wasm: 'place-rows',
  shader: 'place-rows',
  tolerance: { atol: 1e-7, rtol: 1e-6 },
  plan([given, , shift]: readonly Shape[], { rows }) {
    const { rows: count, cols } = given as Shape
    const { cols: paddedCols } = shift as Shape
    return {
      output: { rows, cols: paddedCols, type: 'f32' },
      scratch: [],
      passes: [
        {
          entryPoint: 'place',
          uniforms: [count, cols, paddedCols, rows],
          workgroups: Math.ceil((count * paddedCols) / (4 * 64)),
          bindings: [{ input: 0 }, { input: 1 }, { input: 2 }, 'output'],
        },
      ],
    }
  },
  *cpu(inputs, params, output) {
    const { rows, cols } = inputs[0] as HostMatrix
    const perTurn = Math.max(1, Math.floor(valuesPerTurn / cols))
    for (let start = 0; start < rows; start += perTurn) {
      placeRows(inputs, params, output, { start, end: Math.min(start + perTurn, rows) })
      yield
    }
  },
  sample() {
    const [rows, cols, paddedCols] = [37, 10, 12]
    const data = Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(1 + i * i * 0.37 + i))
    const places = Uint32Array.from({ length: rows }, (_, i) => (i % 7 === 3 ? nowhere : (i * 11) % 40))
    const shift = Float32Array.from({ length: paddedCols }, (_, j) => (j < cols ? Math.cos(j) : 0))
    return {
      inputs: [
        { data, rows, cols, type: 'f32' },
        { data: places, rows, cols: 1, type: 'u32' },
        { data: shift, rows: 1, cols: paddedCols, type: 'f32' },
      ],
      params: { rows: 40 },
    }
  },
}

/** What the kernel does, of the rows `start` … `end − 1`. */
export function placeRows(
  [given, places, shift]: readonly HostMatrix[],
  { rows }: PlaceRowsParams,
  output: Float32Array,
  { start, end }: { readonly start: number; readonly end: number },
): void {
  const { data, cols } = given as HostMatrix
  const { data: subtracted, cols: paddedCols } = shift as HostMatrix
  const { data: placeOf } = places as HostMatrix
  for (let row = start; row < end; row++) {
    const place = placeOf[row] as number
    if (place >= rows) continue
    // Views of both rows: a place may be beyond 2³¹, and an index that may be is computed in floating point.
    const to = output.subarray(place * paddedCols, (place + 1) * paddedCols)
    const from = data.subarray(row * cols, (row + 1) * cols)
    for (let j = 0; j < cols; j++) to[j] = (from[j] as number) - (subtracted[j] as number)
    for (let j = cols; j < paddedCols; j++) to[j] = 0
  }
}
