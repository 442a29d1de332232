import type { RowBlock } from './activation-rows.js'
import type { ActivationSet } from './activation-set.js'
import type { Context, DeviceMatrix } from './backend.js'
import { dispose } from './dispose.js'
import { nonFiniteKernel } from './non-finite.js'
import { readRows } from './read-rows.js'

/** Rows that are uploaded at a time: some milliseconds of work, enough for threads to share, and few round trips of a GPU or a file. */
export const rowsPerUpload = (cols: number) => Math.max(1, Math.floor(2 ** 22 / cols))

export interface UploadedRead extends RowBlock {
  /** `[rows, cols]` the same on the backend, until the next is asked for. */
  readonly given: DeviceMatrix
}

/**
 * One pass over a set's rows as they come. Their values are looked at on the backend, after what the caller makes it do with them: throws `InputError`
 * where one is not finite, at the latest when it has come to its end.
 */
export async function* uploadedReads(
  { backend, signal }: Context,
  { activations }: ActivationSet,
  rowsPerBlock: number,
): AsyncGenerator<UploadedRead, void, undefined> {
  const { cols } = activations
  const look = async (flags: DeviceMatrix) => {
    try {
      const found = await backend.read(flags)
      if (found.some((flag) => flag !== 0)) for await (const _ of readRows(activations, { rowsPerBlock, signal }));
    } finally {
      flags[dispose]()
    }
  }
  /** Of the rows before, where more may be uploaded meanwhile: a GPU is kept busy. */
  let looking: Promise<void> | null = null
  try {
    for await (const read of readRows(activations, { rowsPerBlock, signal, unchecked: true })) {
      using given = backend.upload({ data: read.data, rows: read.rows, cols, type: 'f32' })
      yield { ...read, given }
      const before = looking
      looking = look(backend.run(nonFiniteKernel, [given], undefined))
      looking.catch(() => undefined) // shows where it is waited for
      // Where nothing was copied, the backend has to be done with the rows.
      await (backend.copiesUploads ? before : looking)
    }
  } finally {
    await looking
  }
}
