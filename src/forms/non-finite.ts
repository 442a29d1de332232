import type { HostMatrix } from '../core/backend.js'
import { flagsOf, valuesPerFlag } from '../core/non-finite.js'
import type { Form } from './form.js'

const flagsPerPiece = 16

/** Whether values are finite, by the bits of their exponents. */
export const nonFiniteForm: Form<void> = {
  cut([x]) {
    const { rows, cols } = x as HostMatrix
    return { phases: [Math.ceil(flagsOf(x as HostMatrix) / flagsPerPiece)], scratch: 0, operations: rows * cols }
  },
  run(engine, { inputs, output }, _phase, piece) {
    const { data } = inputs[0] as HostMatrix
    const end = Math.min((piece + 1) * flagsPerPiece, output.length)
    const [x] = engine.place(valuesPerFlag * 4) as [number]
    for (let flag = piece * flagsPerPiece; flag < end; flag++) {
      const values = data.subarray(flag * valuesPerFlag, (flag + 1) * valuesPerFlag)
      engine.put(x, values)
      output[flag] = engine.wasm.nonFinite(x, values.length)
    }
  },
}
