import type { Context, DeviceMatrix, HostMatrix, Kernel, Shape } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { pollAmong } from '../core/poll-among.js'
import { inTurns } from '../core/turns.js'
import { sampleMatrix } from '../kernels/sample.js'
import { type NearestParams, nearestAmong, nearestRows, type ReferenceRows, widened } from './nearest-rows.js'

/**
 * How the references nearest to each row vote. Inputs: rows `[n, cols]`, each one's own reference `[n, 1]` uint32, which is left out (count: it
 * has none), the class of each row `[n, 1]` uint32, references `[count, cols]`, the class of each `[count, 1]` uint32, how many neighbours a row of each class has `[classes, 1]` uint32, no more than
 * k; cols a multiple of four. Output `[n, 2]`: the share of the votes that is not the row's class, and 1 where another class has more of them. Squares that float32 does not hold make a
 * reference nobody's neighbour. For backends that compute on the CPU. Tolerance: none; float64 settles which are nearest, ties go to the lower number.
 */
export const neighbourVotesKernel: Kernel<NearestParams> = {
  id: 'neighbour-votes',
  wasm: 'neighbour-votes',
  tolerance: { atol: 0, rtol: 0 },
  plan([rows]: readonly Shape[]) {
    return { output: { rows: (rows as Shape).rows, cols: 2, type: 'f32' }, scratch: [], passes: [] }
  },
  *cpu([rows, own, classOf, references, classOfReference, kOfClass]: readonly HostMatrix[], { k }, output) {
    const poll = pollAmong((kOfClass as HostMatrix).data, (classOfReference as HostMatrix).data)
    const visit = (i: number, neighbours: Uint32Array) => output.set(poll(neighbours, (classOf as HostMatrix).data[i] as number), 2 * i)
    yield* nearestAmong(rows as HostMatrix, own as HostMatrix, references as HostMatrix, { k, visit })
  },
  sample() {
    const column = (...data: number[]): HostMatrix => ({ data: Uint32Array.from(data), rows: data.length, cols: 1, type: 'u32' })
    const classOfReference = column(0, 1, 1, 0, 1, 0, 1, 1, 0)
    return {
      inputs: [sampleMatrix(3, 8), column(3, 9, 9), column(0, 1, 0), sampleMatrix(9, 8), classOfReference, column(4, 3)],
      params: { k: 4 },
    }
  },
}

export interface Electorate {
  readonly references: ReferenceRows
  /** `[rows of the set]` */
  readonly classOf: ArrayLike<number>
  /** Neighbours of a row, by its class. */
  readonly kOfClass: readonly number[]
}

/** Takes votes among one set of references, block of rows by block of rows. */
export interface NeighbourVotes extends Disposable {
  /** Of rows `firstRow` … of the set, `[n, cols]`: `[n, 2]`, the share of their neighbours that is of other classes, and 1 where another class is more frequent than theirs. */
  of(rows: { readonly data: Float32Array; readonly firstRow: number }): Promise<Float32Array>
}

/** By the kernel where the backend computes on the CPU and has a form for it, else on the host: float64 decides in both. */
export function neighbourVotes({ backend, signal }: Context, { references, classOf, kOfClass }: Electorate): NeighbourVotes {
  const { count, cols, rowOf } = references
  const k = Math.max(...kOfClass)
  const classOfReference = Uint32Array.from(rowOf, (row) => classOf[row] as number)
  if (!backend.runsForms) {
    const poll = pollAmong(kOfClass, classOfReference)
    return {
      async of({ data, firstRow }) {
        const votes = new Float32Array((2 * data.length) / cols)
        const visit = (i: number, neighbours: Uint32Array) => votes.set(poll(neighbours, classOf[firstRow + i] as number), 2 * i)
        await inTurns(nearestRows({ data, firstRow }, references, { k, visit }), signal)
        return votes
      },
      [dispose]: () => undefined,
    }
  }
  const column = (data: Uint32Array): DeviceMatrix => backend.upload({ data, rows: data.length, cols: 1, type: 'u32' })
  const held = [backend.upload(widened(references.data, cols)), column(classOfReference), column(Uint32Array.from(kOfClass))] as const
  return {
    async of({ data, firstRow }) {
      const x = widened(data, cols)
      const own = new Uint32Array(x.rows).fill(count)
      rowOf.forEach((row, r) => {
        if (row >= firstRow && row < firstRow + x.rows) own[row - firstRow] = r
      })
      using given = backend.upload(x)
      using ownColumn = column(own)
      using classes = column(Uint32Array.from(own, (_, i) => classOf[firstRow + i] as number))
      using votes = backend.run(neighbourVotesKernel, [given, ownColumn, classes, ...held], { k })
      return await backend.read(votes)
    },
    [dispose]() {
      for (const matrix of held) matrix[dispose]()
    },
  }
}
