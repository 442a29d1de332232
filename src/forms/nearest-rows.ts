import type { HostMatrix } from '../core/backend.js'
import type { Form } from './form.js'
import { cutSearch, packReferences, searchNearest } from './nearest-search.js'

interface NearestParams {
  readonly k: number
}

/** Numbers of the k references nearest to each row and no further than its limit, rising, −1 where there are fewer. */
export const nearestRowsForm: Form<NearestParams> = {
  cut: ([rows, , , references]) => cutSearch({ rows: rows as HostMatrix, references: references as HostMatrix }),
  run(engine, { inputs, params, output, scratch }, phase, piece) {
    const [rows, own, limits, references] = inputs as [HostMatrix, HostMatrix, HostMatrix, HostMatrix]
    if (phase === 0) return packReferences(engine, references, scratch, piece)
    const { k } = params
    searchNearest(engine, { rows, own, references, most: k, scratch }, piece, {
      kOf: () => k,
      limitOf: (row) => limits.data[row] as number,
      visit(row, numbers, count) {
        output.fill(-1, row * k, (row + 1) * k)
        output.set(numbers.subarray(0, count), row * k)
      },
    })
  },
}
