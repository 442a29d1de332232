import type { RowBlock } from './activation-rows.js'
import type { ActivationSet } from './activation-set.js'
import type { Backend, Context } from './backend.js'
import { type SortedRows, sortedSet, sortedStretch } from './class-order.js'
import { ClassedRows, type ClassRange } from './classed-rows.js'
import { dispose } from './dispose.js'
import { BackendError } from './errors.js'
import { pause } from './pause.js'
import { readRows, rowsPerRead } from './read-rows.js'

/** Some rows of a set on the backend, class by class. */
export interface DeviceBlock {
  readonly rows: ClassedRows
  /** Where in class order of the whole set the block's first row of each class stands; those after it follow. */
  readonly positions: Uint32Array
}

/** A block and a few of its classes, as many as one run of a kernel takes. */
export interface ClassBatch extends DeviceBlock {
  readonly batch: ClassRange
}

/** A block that is read again is held on the host and on the backend, and the one before it may not have been collected yet. */
const bytesHeldPerByte = 4

/** Device memory that the output and the partial sums of one run may take: more where buffers may be larger, as few runs keep a GPU busy. */
const batchBytes = ({ maxBindingBytes }: Backend) => Math.max(64 * 2 ** 20, maxBindingBytes / 4)

/**
 * An activation set as kernels take it: rows class by class, shifted by the data set's column means, columns padded with zeros to a
 * multiple of four, in one block or several. It is shared by every detector of an audit, and what detectors derive from it is kept with it.
 *
 * Where the rows fit into the memory that the context allows they are read and uploaded once, in class order throughout, cut where
 * they are more than one buffer takes. Where they do not fit, every pass reads them again: a block is a stretch of rows as they come, put
 * in class order within itself, and gone when the next one is asked for. Per-class results of blocks are added up on the host.
 *
 * The shift costs one subtraction a value and keeps float32 sums honest where the mean is much larger than the spread.
 */
export class DeviceSet implements Disposable {
  readonly context: Context
  readonly set: ActivationSet
  /** `[paddedCols]` what was subtracted from every row, zero in the padding. */
  readonly shift: Float32Array
  readonly paddedCols: number
  /** Most rows that a block has. */
  readonly rowsPerBlock: number
  /** Which classes have more than one kind of row. The others have no direction to look along, whatever rounding says. */
  readonly varies: Uint8Array
  readonly #blocks: readonly DeviceBlock[] | null
  readonly #kept = new Map<string, unknown>()
  #disposed = false

  private constructor(
    made: Pick<DeviceSet, 'context' | 'set' | 'shift' | 'rowsPerBlock' | 'varies'>,
    blocks: readonly DeviceBlock[] | null,
  ) {
    this.context = made.context
    this.set = made.set
    this.shift = made.shift
    this.paddedCols = made.shift.length
    this.rowsPerBlock = made.rowsPerBlock
    this.varies = made.varies
    this.#blocks = blocks
  }

  /** Reads `set` once, and keeps it on the backend where it fits. Rejects with the signal's reason when aborted. */
  static async upload(context: Context, set: ActivationSet): Promise<DeviceSet> {
    const { rows, cols } = set.activations
    const { backend, memory } = context
    const paddedCols = Math.ceil(cols / 4) * 4
    const fits = rows * paddedCols * 4 <= memory
    const blockBytes = fits ? backend.maxBindingBytes : Math.min(backend.maxBindingBytes, memory / bytesHeldPerByte)
    const rowsPerBlock = Math.min(rows, wholeReads(Math.max(1, Math.floor(blockBytes / (paddedCols * 4))), cols))
    const allocate = backend.allocate?.bind(backend)
    const sorted = fits ? sortedSet(set, { rowsPerBlock, paddedCols, allocate }) : null
    // What lies in memory is looked at twice, and shifted as it is copied; what has to be read is read once and shifted where it lies.
    const twice = sorted !== null && set.activations.inMemory !== null
    const survey = surveyor(set)
    const reading = { rowsPerBlock: Math.min(rowsPerBlock, rowsPerRead(cols)), signal: context.signal }
    for await (const read of readRows(set.activations, reading)) {
      survey.add(read)
      if (!twice) sorted?.add(read)
      context.progress((read.start + read.rows) / rows / (twice ? 2 : 1))
    }
    const shift = new Float32Array(paddedCols)
    shift.set(survey.means())
    if (twice) {
      for await (const read of readRows(set.activations, reading)) {
        sorted.add(read, shift)
        context.progress(0.5 + (read.start + read.rows) / rows / 2)
      }
    }
    const made = { context, set, shift, rowsPerBlock, varies: survey.varies }
    if (!sorted) return new DeviceSet(made, null)
    const blocks: DeviceBlock[] = []
    try {
      for (const block of sorted.blocks)
        blocks.push(twice ? uploaded(context, block, paddedCols) : await uploadBlock(context, block, shift))
    } catch (error) {
      for (const { rows } of blocks) rows[dispose]()
      throw error
    }
    return new DeviceSet(made, blocks)
  }

  get rows(): number {
    return this.set.activations.rows
  }

  /** Whether every pass reads the rows from where they came. */
  get isReadAgain(): boolean {
    return this.#blocks === null
  }

  /** Whether every class lies in one block. */
  get hasWholeClasses(): boolean {
    const { classes } = this.set
    return (
      (this.#blocks ?? []).length > 0 &&
      (this.#blocks ?? []).every(({ rows: { starts } }) =>
        classes.every(({ rows }, c) => {
          const own = (starts[c + 1] as number) - (starts[c] as number)
          return own === 0 || own === rows
        }),
      )
    )
  }

  /** All rows, block by block. A block is good until the next one is asked for. */
  async *blocks(): AsyncGenerator<DeviceBlock, void, undefined> {
    this.#check()
    if (this.#blocks) yield* this.#blocks
    else yield* this.#readBlocks()
  }

  /**
   * All rows of the classes of `range`, block by block and few enough classes at a time for `bytesPerClass`, given the rows of a class in
   * the block, to fit the memory of one run. Classes that a block has no rows of are left out at both ends.
   */
  async *batches(
    bytesPerClass: (rows: number) => number,
    range: ClassRange = this.allClasses,
  ): AsyncGenerator<ClassBatch, void, undefined> {
    const limit = batchBytes(this.context.backend)
    for await (const block of this.blocks()) {
      const { starts, present } = block.rows
      const last = Math.min(range.end, present.end)
      const bytesOf = (c: number) => bytesPerClass((starts[c + 1] as number) - (starts[c] as number))
      for (let first = Math.max(range.first, present.first); first < last; ) {
        let end = first
        let bytes = 0
        do bytes += bytesOf(end++)
        while (end < last && bytes + bytesOf(end) <= limit)
        yield { ...block, batch: { first, end } }
        first = end
      }
    }
  }

  get allClasses(): ClassRange {
    return { first: 0, end: this.set.classes.length }
  }

  /** `build()` on the first call with `key`, the same value afterwards. */
  keep<T>(key: string, build: () => T): T {
    this.#check()
    if (!this.#kept.has(key)) this.#kept.set(key, build())
    return this.#kept.get(key) as T
  }

  /** Puts one value a row from class order back into the set's own order. */
  toRowOrder(sorted: ArrayLike<number>): Float32Array {
    const out = new Float32Array(sorted.length)
    for (let i = 0; i < sorted.length; i++) out[this.set.order[i] as number] = sorted[i] as number
    return out
  }

  [dispose](): void {
    if (this.#disposed) return
    this.#disposed = true
    for (const block of this.#blocks ?? []) block.rows[dispose]()
  }

  #check(): void {
    if (this.#disposed) throw new BackendError('disposed', 'device set: used after it was disposed; keep it alive until the last read')
  }

  async *#readBlocks(): AsyncGenerator<DeviceBlock, void, undefined> {
    const { context, set, paddedCols, rowsPerBlock, shift } = this
    const next = set.starts.slice(0, -1)
    let filling: ReturnType<typeof sortedStretch> | null = null
    let end = 0
    const { cols } = set.activations
    const allocate = context.backend.allocate?.bind(context.backend)
    for await (const read of readRows(set.activations, {
      rowsPerBlock: Math.min(rowsPerBlock, rowsPerRead(cols)),
      signal: context.signal,
    })) {
      if (!filling) {
        end = Math.min(read.start + rowsPerBlock, this.rows)
        filling = sortedStretch(set, { start: read.start, end, paddedCols, allocate }, next)
      }
      filling.add(read, shift)
      if (read.start + read.rows < end) continue
      const block: DeviceBlock = uploaded(context, filling, paddedCols)
      filling = null
      using _rows = block.rows
      yield block
    }
  }
}

/** At most `rows`, and a multiple of what is read at a time where it is more than that. */
function wholeReads(rows: number, cols: number): number {
  const perRead = rowsPerRead(cols)
  return rows < perRead ? rows : rows - (rows % perRead)
}

/** Column means, and which classes have rows that differ, from one look at every row. */
function surveyor({ activations, classes, classOf }: ActivationSet) {
  const { rows, cols } = activations
  const sums = new Float64Array(cols)
  const varies = new Uint8Array(classes.length)
  const firstRows: (Float32Array | undefined)[] = []
  return {
    varies,
    means: () => sums.map((sum) => sum / rows),
    add({ start, rows: count, data }: RowBlock) {
      addRows(data, sums)
      for (let i = 0, at = 0; i < count; i++, at += cols) {
        const c = classOf[start + i] as number
        if (varies[c]) continue
        const first = firstRows[c]
        if (!first) firstRows[c] = data.slice(at, at + cols)
        else if (first.some((value, j) => value !== data[at + j])) {
          varies[c] = 1
          firstRows[c] = undefined
        }
      }
    },
  }
}

/** Adds the rows of `data` to `sums`, four at a time: one load and store of a sum for four values. */
function addRows(data: Float32Array, sums: Float64Array): void {
  const cols = sums.length
  let row = 0
  for (; row + 4 * cols <= data.length; row += 4 * cols) {
    for (let j = 0, a = row, b = a + cols, c = b + cols, d = c + cols; j < cols; j++, a++, b++, c++, d++) {
      sums[j] = (sums[j] as number) + ((data[a] as number) + (data[b] as number)) + ((data[c] as number) + (data[d] as number))
    }
  }
  for (; row < data.length; row += cols) {
    for (let j = 0; j < cols; j++) sums[j] = (sums[j] as number) + (data[row + j] as number)
  }
}

/** Subtracts the shift and uploads. */
async function uploadBlock(context: Context, block: SortedRows, shift: Float32Array): Promise<DeviceBlock> {
  const { signal } = context
  const { data } = block
  const cols = shift.length
  const rows = data.length / cols
  const perTurn = rowsPerRead(cols)
  for (let start = 0; start < rows; start += perTurn) {
    const end = Math.min(start + perTurn, rows)
    for (let row = start, at = start * cols; row < end; row++) {
      for (let j = 0; j < cols; j++, at++) data[at] = (data[at] as number) - (shift[j] as number)
    }
    await pause()
    signal?.throwIfAborted()
  }
  return uploaded(context, block, cols)
}

function uploaded({ backend }: Context, { data, starts, positions }: SortedRows, cols: number): DeviceBlock {
  const x = backend.upload({ data, rows: data.length / cols, cols, type: 'f32' })
  return { rows: new ClassedRows(backend, x, starts), positions }
}
