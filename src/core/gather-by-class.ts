import type { BlockLayout } from './class-order.js'
import { type DoubleEngine, doubleEngine } from './double-engine.js'
import type { Matrix } from './matrix.js'

/** Values that are gathered between two turns: a millisecond or less. */
const gatheredPerTurn = 2 ** 19
/** Values that are in WebAssembly at a time: what a second-level cache holds. */
const valuesAtOnce = 2 ** 15

/** Rows of `values` that are wanted, one after the other, less the shift. */
interface Gathering {
  readonly values: Matrix
  readonly wanted: Uint32Array
  readonly shift: Float32Array
}

/** Puts a block's rows, less the shift, class by class into `data: [rows, cols of the shift]`; the columns beyond the rows' own get 0. */
export function* gatherByClass(
  values: Matrix,
  order: Uint32Array,
  { starts, positions }: Pick<BlockLayout, 'starts' | 'positions'>,
  shift: Float32Array,
  data: Float32Array,
): Generator<void, void, void> {
  const perTurn = Math.ceil(gatheredPerTurn / values.cols)
  let inTurn = 0
  for (let c = 0; c < positions.length; c++) {
    const skipped = (positions[c] as number) - (starts[c] as number)
    for (let row = starts[c] as number, end: number; row < (starts[c + 1] as number); row = end) {
      end = Math.min(row + perTurn - inTurn, starts[c + 1] as number)
      const engine = doubleEngine()
      const gathering = { values, wanted: order.subarray(row + skipped, end + skipped), shift }
      const to = data.subarray(row * shift.length, end * shift.length)
      if (engine && values.cols === shift.length) gatherInWebAssembly(engine, gathering, to)
      else gather(gathering, to)
      inTurn += end - row
      if (inTurn < perTurn) continue
      inTurn = 0
      yield
    }
  }
}

function gather({ values: { data, cols }, wanted, shift }: Gathering, to: Float32Array): void {
  for (let i = 0, at = 0; i < wanted.length; i++) {
    const first = (wanted[i] as number) * cols
    const from = data.subarray(first, first + cols)
    for (let j = 0; j < cols; j++, at++) to[at] = (from[j] as number) - (shift[j] as number)
    for (let j = cols; j < shift.length; j++, at++) to[at] = 0
  }
}

/** Half the time: rows are copied whole. The columns are a multiple of four. */
function gatherInWebAssembly(engine: DoubleEngine, { values: { data, cols }, wanted, shift }: Gathering, to: Float32Array): void {
  const atOnce = Math.max(1, Math.floor(valuesAtOnce / cols))
  const [rows, mean] = engine.enter(atOnce * cols * 4, shift) as [number, number]
  const held = engine.singles(rows, atOnce * cols)
  for (let first = 0; first < wanted.length; first += atOnce) {
    const count = Math.min(atOnce, wanted.length - first)
    for (let i = 0; i < count; i++) {
      const from = (wanted[first + i] as number) * cols
      held.set(data.subarray(from, from + cols), i * cols)
    }
    engine.loops.centre(rows, count, cols, mean)
    to.set(count === atOnce ? held : held.subarray(0, count * cols), first * cols)
  }
}
