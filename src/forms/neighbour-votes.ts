import type { HostMatrix } from '../core/backend.js'
import { pollAmong } from '../core/poll-among.js'
import type { Form } from './form.js'
import { cutSearch, packReferences, searchNearest } from './nearest-search.js'

interface VotesParams {
  readonly k: number
}

/** How the references nearest to each row vote: the share that is not of its class, and 1 where another class has more of them than its own. */
export const neighbourVotesForm: Form<VotesParams> = {
  cut: ([rows, , , references]) => cutSearch({ rows: rows as HostMatrix, references: references as HostMatrix }),
  run(engine, { inputs, params, output, scratch }, phase, piece) {
    const [rows, own, classOf, references, classOfReference, kOfClass] = inputs as readonly HostMatrix[] as [
      HostMatrix,
      HostMatrix,
      HostMatrix,
      HostMatrix,
      HostMatrix,
      HostMatrix,
    ]
    if (phase === 0) return packReferences(engine, references, scratch, piece)
    const poll = pollAmong(kOfClass.data, classOfReference.data)
    searchNearest(engine, { rows, own, references, most: params.k, scratch }, piece, {
      kOf: (row) => kOfClass.data[classOf.data[row] as number] as number,
      limitOf: () => Number.POSITIVE_INFINITY,
      visit(row, numbers, count) {
        const [others, isOutvoted] = poll(numbers, classOf.data[row] as number, count)
        output[2 * row] = others
        output[2 * row + 1] = isOutvoted
      },
    })
  },
}
