import type { HostMatrix } from '../core/backend.js'
import type { Form } from './form.js'
import { cutSearch, searchNearest } from './nearest-search.js'

interface VotesParams {
  readonly k: number
}

/** How the references nearest to each row vote: the share that is not of its class, and 1 where another class has more of them than its own. */
export const neighbourVotesForm: Form<VotesParams> = {
  cut: ([rows, , , references]) => cutSearch({ rows: rows as HostMatrix, references: references as HostMatrix }),
  run(engine, { inputs, params, output }, _phase, piece) {
    const [rows, own, classOf, references, classOfReference, kOfClass] = inputs as readonly HostMatrix[] as [
      HostMatrix,
      HostMatrix,
      HostMatrix,
      HostMatrix,
      HostMatrix,
      HostMatrix,
    ]
    const votes = new Uint32Array(kOfClass.rows)
    searchNearest(engine, { rows, own, references, most: params.k }, piece, {
      kOf: (row) => kOfClass.data[classOf.data[row] as number] as number,
      limitOf: () => Number.POSITIVE_INFINITY,
      visit(row, numbers) {
        let most = 0
        for (const number of numbers) {
          const c = classOfReference.data[number] as number
          votes[c] = (votes[c] as number) + 1
          most = Math.max(most, votes[c] as number)
        }
        const ofOwn = votes[classOf.data[row] as number] as number
        for (const number of numbers) votes[classOfReference.data[number] as number] = 0
        output[2 * row] = numbers.length === 0 ? 0 : 1 - ofOwn / numbers.length
        output[2 * row + 1] = ofOwn < most ? 1 : 0
      },
    })
  },
}
