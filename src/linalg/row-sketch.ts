import type { Context, HostMatrix, Kernel, Shape } from '../core/backend.js'
import type { Rng } from '../core/rng.js'
import { reusedFloats } from '../core/shared-floats.js'
import { inTurns } from '../core/turns.js'
import { sampleMatrix } from '../kernels/sample.js'

export interface SketchParams {
  readonly width: number
}

/** Values between two yields. */
const valuesPerTurn = 2 ** 19

/**
 * Rows scaled to length 1 (rows of zeros stay) and, each column added to one of `width` or taken off it, so many columns: a count sketch (Charikar, Chen &
 * Farach-Colton, ICALP 2002), which keeps inner products on average. Inputs: rows `[n, cols]`; for each column, `[cols, 1]` uint32, twice
 * the one that it goes to, and 1 more where it is taken off. Output `[n, width]`. For backends that compute on the CPU. Tolerance: none.
 */
export const rowSketchKernel: Kernel<SketchParams> = {
  id: 'row-sketch',
  wasm: 'row-sketch',
  tolerance: { atol: 0, rtol: 0 },
  plan([rows]: readonly Shape[], { width }) {
    return { output: { rows: (rows as Shape).rows, cols: width, type: 'f32' }, scratch: [], passes: [] }
  },
  *cpu([rows, targets], { width }, output) {
    yield* sketch((rows as HostMatrix).data as Float32Array, (targets as HostMatrix).data as Uint32Array, { width, output })
  },
  sample() {
    const targets = Uint32Array.from({ length: 12 }, (_, j) => (j * 7) % 10)
    return { inputs: [sampleMatrix(9, 12), { data: targets, rows: 12, cols: 1, type: 'u32' }], params: { width: 5 } }
  },
}

/** Float64. Squares are added up in four sums, as four columns at a time give them. */
function* sketch(
  rows: Float32Array,
  targets: Uint32Array,
  { width, output }: { readonly width: number; readonly output: Float32Array },
): Generator<void, void, void> {
  const cols = targets.length
  const sums = new Float64Array(width)
  const squares = new Float64Array(4)
  const perTurn = Math.ceil(valuesPerTurn / cols)
  for (let row = 0; row < rows.length / cols; row++) {
    let largest = 0
    for (let j = 0, at = row * cols; j < cols; j++, at++) largest = Math.max(largest, Math.abs(rows[at] as number))
    const out = output.subarray(row * width, (row + 1) * width)
    if (largest === 0) out.fill(0)
    else {
      const inverse = 1 / largest // squares of large values would overflow
      sums.fill(0)
      squares.fill(0)
      for (let j = 0, at = row * cols; j < cols; j++, at++) {
        const value = (rows[at] as number) * inverse
        const target = targets[j] as number
        squares[j & 3] = (squares[j & 3] as number) + value * value
        sums[target >>> 1] = (sums[target >>> 1] as number) + (target & 1 ? -value : value)
      }
      const [a, b, c, d] = squares as unknown as [number, number, number, number]
      const scale = 1 / Math.sqrt(a + c + (b + d))
      for (let k = 0; k < width; k++) out[k] = scale * (sums[k] as number)
    }
    if (row % perTurn === perTurn - 1) yield
  }
}

/** Sketches of rows of `cols` values, in `width` columns drawn by `rng`; in all of them where `width` is no less: rows are then scaled alone. */
export class RowSketch {
  readonly width: number
  readonly #context: Context
  readonly #targets: Uint32Array
  readonly #room = reusedFloats()

  constructor(context: Context, cols: number, { width, rng }: { readonly width: number; readonly rng: Rng }) {
    this.width = Math.min(cols, width)
    this.#context = context
    const isCut = width < cols
    const to = Uint32Array.from({ length: cols }, (_, j) => (isCut ? rng.below(width) : j))
    this.#targets = to.map((target) => 2 * target + (isCut && rng.float() < 0.5 ? 1 : 0))
  }

  /** `[n, width]` of rows `[n, cols]`: good until the next are asked for. */
  async of(rows: Float32Array): Promise<Float32Array> {
    const { backend, signal } = this.#context
    const targets = this.#targets
    const { width } = this
    const [n, cols] = [rows.length / targets.length, targets.length]
    const output = this.#room(n * width).subarray(0, n * width)
    if (!backend.runsForms) {
      await inTurns(sketch(rows, targets, { width, output }), signal)
      return output
    }
    using given = backend.upload({ data: rows, rows: n, cols, type: 'f32' })
    using column = backend.upload({ data: targets, rows: cols, cols: 1, type: 'u32' })
    using sketched = backend.run(rowSketchKernel, [given, column], { width })
    return await backend.read(sketched, output)
  }
}
