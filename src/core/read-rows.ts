import type { ActivationRows, RowBlock } from './activation-rows.js'
import { pause } from './pause.js'

export interface ReadOptions {
  readonly rowsPerBlock: number
  readonly signal?: AbortSignal | undefined
  /** Leaves the values to the caller. */
  readonly unchecked?: boolean
}

/** Values that are some milliseconds of work, whatever is done with them. */
const valuesPerRead = 2 ** 19

/** Rows to read at a time, so that other work gets a turn every few milliseconds. */
export const rowsPerRead = (cols: number) => Math.max(1, Math.floor(valuesPerRead / cols))

/**
 * One pass over `rows`. After each block other work gets a turn; an abort rejects with the signal's reason at once, also while the
 * source keeps its reader waiting (which is then left to end by itself).
 */
export async function* readRows(
  rows: ActivationRows,
  { rowsPerBlock, signal, unchecked = false }: ReadOptions,
): AsyncGenerator<RowBlock, void, undefined> {
  const pass = rows.blocks(rowsPerBlock, { unchecked })
  let waiting = false
  try {
    for (;;) {
      waiting = true
      const next = await orAbort(pass.next(), signal)
      waiting = false
      if (next.done) return
      yield next.value
      await pause()
      signal?.throwIfAborted()
    }
  } finally {
    const ended = pass.return()
    if (waiting) ended.catch(() => undefined)
    else await ended
  }
}

function orAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
