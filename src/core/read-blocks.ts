import type { RowBlock } from './activation-rows.js'
import type { ActivationSet } from './activation-set.js'
import type { Context, DeviceMatrix } from './backend.js'
import { endOfStretch, type OrderedRows, stretchInClassOrder } from './class-order.js'
import { type DeviceBlock, emptyBlock, fill, uploadShift } from './device-block.js'
import { dispose } from './dispose.js'
import { rowsPerUpload, type UploadedRead, uploadedReads } from './uploaded-reads.js'

/** Rows that are wanted in blocks of about `most` rows. */
export interface WantedRows {
  readonly chosen: OrderedRows
  readonly most: number
}

interface Reading<W> {
  readonly context: Context
  readonly set: ActivationSet
  /** `[paddedCols]` what is subtracted from every row. */
  readonly shift: Float32Array
  /** Rows that are read at a time, at most. */
  readonly most: number
  readonly wanted: readonly W[]
  /** Called with all that is read, which is good until it resolves, and asked whether anybody still wants something. */
  readonly onRead?: ((read: RowBlock) => Promise<boolean>) | undefined
}

/**
 * One pass over a set's rows as they come, put into blocks: each a stretch of the rows that somebody wants, in class order within itself. A block belongs to
 * whoever asks for the next one.
 */
export async function* readBlocks<W extends WantedRows>(
  reading: Reading<W>,
): AsyncGenerator<DeviceBlock & { readonly of: W }, void, undefined> {
  const { context, set, shift, most, wanted, onRead } = reading
  const rowsPerRead = Math.min(most, rowsPerUpload(set.activations.cols))
  const fillings = wanted.map((of) => new Filling(context, of, { rowsPerRead, cols: shift.length }))
  using subtracted = uploadShift(context.backend, shift)
  try {
    for await (const read of uploadedReads(context, set, rowsPerRead)) {
      for (const filling of fillings) filling.add(read, subtracted)
      const isWanted = await onRead?.(read)
      for (const filling of fillings) {
        const block = filling.taken(read)
        if (block) yield { ...block, of: filling.of }
      }
      if (isWanted === false || (!onRead && fillings.every(({ isDone }) => isDone))) return
    }
  } finally {
    for (const filling of fillings) filling[dispose]()
  }
}

/** The block that is filled for somebody, and those after it. */
class Filling<W extends WantedRows> implements Disposable {
  readonly of: W
  isDone = false
  readonly #context: Context
  readonly #shape: { readonly rowsPerRead: number; readonly cols: number }
  /** Where the next row of each class stands in class order. */
  readonly #positions: Uint32Array
  #current: { readonly block: DeviceBlock; readonly end: number; readonly add: ReturnType<typeof fill> } | null = null

  constructor(context: Context, of: W, shape: { readonly rowsPerRead: number; readonly cols: number }) {
    this.#context = context
    this.of = of
    this.#shape = shape
    this.#positions = of.chosen.starts.slice(0, -1)
  }

  add(read: UploadedRead, shift: DeviceMatrix): void {
    if (this.isDone) return
    this.#current ??= this.#begin(read.start)
    this.#current?.add(read, shift)
  }

  /** The block, where the read was its last. */
  taken({ start, rows }: RowBlock): DeviceBlock | null {
    if (!this.#current || start + rows < this.#current.end) return null
    const { block } = this.#current
    this.#current = null
    return block
  }

  [dispose](): void {
    this.#current?.block.rows[dispose]()
  }

  #begin(start: number) {
    const { chosen, most } = this.of
    const { rowsPerRead, cols } = this.#shape
    const end = endOfStretch(chosen, start, { most, rowsPerRead })
    const layout = stretchInClassOrder(chosen, { start, end }, this.#positions)
    this.isDone = layout.rows === 0
    if (this.isDone) return null
    const block = emptyBlock(this.#context, layout, cols)
    return { block, end, add: fill(chosen.classOf, [block]) }
  }
}
