import type { RowBlock } from './activation-rows.js'
import type { ActivationSet } from './activation-set.js'
import type { Backend, Context, DeviceMatrix } from './backend.js'
import { type BlockLayout, blocksInClassOrder, largestClass, placer, stretchInClassOrder } from './class-order.js'
import { ClassedRows, type ClassRange } from './classed-rows.js'
import { dispose } from './dispose.js'
import { BackendError, InputError } from './errors.js'
import type { Matrix } from './matrix.js'
import { nonFiniteKernel } from './non-finite.js'
import { pause } from './pause.js'
import { placeRowsKernel } from './place-rows.js'
import { readRows } from './read-rows.js'
import { inTurns } from './turns.js'

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
 * An activation set as kernels take it: rows class by class, shifted by the column means of its first rows, columns padded with zeros to a
 * multiple of four, in one block or several. It is shared by every detector of an audit, and what detectors derive from it is kept with it.
 *
 * Where the rows fit into the memory that the context allows they are read and uploaded once, in class order throughout, cut where
 * they are more than one buffer takes; looked at, shifted and put in their places by the backend: on all threads, or by the GPU. Where
 * they lie in memory already and the CPU computes, there is no second copy of them: every pass gathers them, a few whole classes at a time. Where
 * they do not fit, every pass reads them again: a block is a stretch of rows as they come, put
 * in class order within itself. A block of either is gone when the next one is asked for. Per-class results of blocks are added up on the host.
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
  readonly #gathered: readonly BlockLayout[] | null
  readonly #kept = new Map<string, unknown>()
  #disposed = false

  private constructor(
    made: Pick<DeviceSet, 'context' | 'set' | 'shift' | 'rowsPerBlock' | 'varies'>,
    { blocks, gathered }: { readonly blocks: readonly DeviceBlock[] | null; readonly gathered: readonly BlockLayout[] | null },
  ) {
    this.context = made.context
    this.set = made.set
    this.shift = made.shift
    this.paddedCols = made.shift.length
    this.rowsPerBlock = made.rowsPerBlock
    this.varies = made.varies
    this.#blocks = blocks
    this.#gathered = gathered
  }

  /** Reads `set` once, and keeps it on the backend where it fits. Rejects with the signal's reason when aborted. */
  static async upload(context: Context, set: ActivationSet): Promise<DeviceSet> {
    const { rows, cols } = set.activations
    const { backend, memory } = context
    const paddedCols = Math.ceil(cols / 4) * 4
    const fits = rows * paddedCols * 4 <= memory
    if (fits && backend.written && set.activations.inMemory) return await DeviceSet.#gather(context, set)
    const blockBytes = fits ? backend.maxBindingBytes : Math.min(backend.maxBindingBytes, memory / bytesHeldPerByte)
    const rowsPerBlock = Math.min(rows, wholeReads(Math.max(1, Math.floor(blockBytes / (paddedCols * 4))), cols))
    const blocks = fits ? emptyBlocks(context, set, { rowsPerBlock, paddedCols }) : null
    const survey = surveyor(set)
    const shift = new Float32Array(paddedCols)
    const filling = blocks && fill(set, blocks)
    let uploadedShift: DeviceMatrix | null = null
    try {
      const rowsPerRead = fits ? rowsPerUpload(cols) : Math.min(rowsPerBlock, rowsPerUpload(cols))
      for await (const read of uploadedReads(context, set, rowsPerRead)) {
        survey.add(read)
        if (!uploadedShift) shift.set(survey.means())
        if (filling) {
          uploadedShift ??= uploadShift(backend, shift)
          filling(read, uploadedShift)
        }
        context.progress((read.start + read.rows) / rows)
      }
    } catch (error) {
      for (const { rows } of blocks ?? []) rows[dispose]()
      throw error
    } finally {
      uploadedShift?.[dispose]()
    }
    return new DeviceSet({ context, set, shift, rowsPerBlock, varies: survey.varies }, { blocks, gathered: null })
  }

  /** Looks at all rows once, where they lie. */
  static async #gather(context: Context, set: ActivationSet): Promise<DeviceSet> {
    const { activations } = set
    const { backend, signal } = context
    const { rows, cols } = activations
    const shift = new Float32Array(Math.ceil(cols / 4) * 4)
    const rowBytes = shift.length * 4
    const most = Math.max(1, Math.floor(backend.maxBindingBytes / rowBytes))
    const wanted = Math.floor(((backend.threads ?? 1) * gatheredBytes) / rowBytes)
    const rowsPerBlock = Math.min(rows, most, Math.max(largestClass(set), wanted))
    const gathered = blocksInClassOrder(set, rowsPerBlock)
    const largest = gathered.reduce((most, layout) => Math.max(most, layout.rows), 0)
    // One is gathered while threads are at work on the other.
    backend.prepare?.(gathered.slice(0, 2).map(() => largest * shift.length))
    const survey = surveyor(set)
    for await (const read of readRows(activations, { rowsPerBlock: rowsPerUpload(cols), signal })) {
      survey.add(read)
      if (read.start === 0) shift.set(survey.means())
      context.progress((read.start + read.rows) / rows)
    }
    return new DeviceSet({ context, set, shift, rowsPerBlock, varies: survey.varies }, { blocks: null, gathered })
  }

  get rows(): number {
    return this.set.activations.rows
  }

  /** Whether every pass reads the rows from where they came. */
  get isReadAgain(): boolean {
    return this.#blocks === null && !this.isGathered
  }

  /** Whether every pass gathers the rows from where they lie in memory. */
  get isGathered(): boolean {
    return this.#gathered !== null
  }

  /** Whether every class lies in one block. */
  get hasWholeClasses(): boolean {
    const { classes } = this.set
    const layouts = this.#gathered ?? (this.#blocks ?? []).map(({ rows }) => rows)
    return (
      layouts.length > 0 &&
      layouts.every(({ starts }) =>
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
    else yield* oneAhead(this.#gathered ? this.#gatherBlocks(this.#gathered) : this.#readBlocks(), this.context.signal)
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

  *#gatherBlocks(layouts: readonly BlockLayout[]): Generator<DeviceBlock, void, undefined> {
    const { context, set, shift, paddedCols: cols } = this
    const { backend, signal } = context
    for (const { rows, starts, positions } of layouts) {
      const write = (data: Float32Array) => inTurns(gatherRows(set, { starts, positions }, shift, data), signal)
      const x = (backend as Required<Backend>).written({ rows, cols, type: 'f32' }, write)
      yield { rows: new ClassedRows(backend, x, starts), positions }
    }
  }

  async *#readBlocks(): AsyncGenerator<DeviceBlock, void, undefined> {
    const { context, set, paddedCols, rowsPerBlock, shift } = this
    const { backend } = context
    const positions = set.starts.slice(0, -1)
    using subtracted = uploadShift(backend, shift)
    let filling: { readonly block: DeviceBlock; readonly end: number; readonly add: ReturnType<typeof fill> } | null = null
    try {
      const rowsPerRead = Math.min(rowsPerBlock, rowsPerUpload(set.activations.cols))
      for await (const read of uploadedReads(context, set, rowsPerRead)) {
        if (!filling) {
          const end = Math.min(read.start + rowsPerBlock, this.rows)
          const block = emptyBlock(context, stretchInClassOrder(set, { start: read.start, end }, positions), paddedCols)
          filling = { block, end, add: fill(set, [block]) }
        }
        const { block, end, add }: NonNullable<typeof filling> = filling
        add(read, subtracted)
        if (read.start + read.rows < end) continue
        filling = null
        yield block
      }
    } finally {
      filling?.block.rows[dispose]()
    }
  }
}

/** Blocks, each made while the one before is looked at, and gone when the next one is asked for. */
async function* oneAhead(
  made: AsyncGenerator<DeviceBlock> | Generator<DeviceBlock>,
  signal: AbortSignal | undefined,
): AsyncGenerator<DeviceBlock, void, undefined> {
  let next = Promise.resolve(made.next())
  try {
    for (;;) {
      const { value: block, done } = await next
      if (done) return
      // In a turn of its own, when threads have begun with this one.
      next = pause().then(() => made.next())
      next.catch(() => undefined)
      try {
        yield block
      } finally {
        block.rows[dispose]()
      }
      signal?.throwIfAborted()
    }
  } finally {
    const left = await next.catch(() => null)
    if (left && !left.done) left.value.rows[dispose]()
    await made.return(undefined)
  }
}

/** Gathered at a time for each thread, where classes are smaller: what shares work well, and little beside what the rows themselves take. */
const gatheredBytes = 2 ** 22

/** Values that are gathered between two turns: a millisecond or two. */
const gatheredPerTurn = 2 ** 19

/** Puts a block's rows, less the shift, class by class into `data: [rows, cols of the shift]`; the columns beyond the rows' own get 0. */
function* gatherRows(
  { activations: { inMemory }, order, classes }: ActivationSet,
  { starts, positions }: Pick<BlockLayout, 'starts' | 'positions'>,
  shift: Float32Array,
  data: Float32Array,
): Generator<void, void, void> {
  const { data: values, cols } = inMemory as Matrix
  const paddedCols = shift.length
  const perTurn = Math.ceil(gatheredPerTurn / cols)
  for (let c = 0; c < classes.length; c++) {
    const skipped = (positions[c] as number) - (starts[c] as number)
    for (let row = starts[c] as number; row < (starts[c + 1] as number); row++) {
      if (row % perTurn === perTurn - 1) yield
      const given = order[row + skipped] as number
      const from = values.subarray(given * cols, (given + 1) * cols)
      const to = data.subarray(row * paddedCols, (row + 1) * paddedCols)
      let j = 0
      // Four at a time: a third less time than one by one.
      for (; j + 3 < cols; j += 4) {
        to[j] = (from[j] as number) - (shift[j] as number)
        to[j + 1] = (from[j + 1] as number) - (shift[j + 1] as number)
        to[j + 2] = (from[j + 2] as number) - (shift[j + 2] as number)
        to[j + 3] = (from[j + 3] as number) - (shift[j + 3] as number)
      }
      for (; j < cols; j++) to[j] = (from[j] as number) - (shift[j] as number)
      for (; j < paddedCols; j++) to[j] = 0
    }
  }
}

/** Values of the first rows, whose column means are the shift: the same rows however they come and whatever the backend. */
const valuesForShift = 2 ** 20

/** Rows that are uploaded at a time: some milliseconds of work, enough for threads to share, and few round trips of a GPU or a file. */
const rowsPerUpload = (cols: number) => Math.max(1, Math.floor(2 ** 22 / cols))

/** At most `rows`, and a multiple of what is read at a time where it is more than that. */
function wholeReads(rows: number, cols: number): number {
  const perRead = rowsPerUpload(cols)
  return rows < perRead ? rows : rows - (rows % perRead)
}

const uploadShift = (backend: Backend, shift: Float32Array) => backend.upload({ data: shift, rows: 1, cols: shift.length, type: 'f32' })

interface UploadedRead extends RowBlock {
  /** `[rows, cols]` the same on the backend, until the next is asked for. */
  readonly given: DeviceMatrix
}

/**
 * One pass over a set's rows as they come. Their values are looked at on the backend, after what the caller makes it do with them: throws `InputError`
 * where one is not finite.
 */
async function* uploadedReads(
  { backend, signal }: Context,
  { activations }: ActivationSet,
  rowsPerBlock: number,
): AsyncGenerator<UploadedRead, void, undefined> {
  const { cols } = activations
  for await (const read of readRows(activations, { rowsPerBlock, signal, unchecked: true })) {
    using given = backend.upload({ data: read.data, rows: read.rows, cols, type: 'f32' })
    yield { ...read, given }
    using flags = backend.run(nonFiniteKernel, [given], undefined)
    // The backend is done with the rows then, too.
    const found = await backend.read(flags)
    if (found.some((flag) => flag !== 0)) for await (const _ of readRows(activations, { rowsPerBlock, signal }));
  }
}

function emptyBlocks(
  context: Context,
  set: ActivationSet,
  { rowsPerBlock, paddedCols }: { readonly rowsPerBlock: number; readonly paddedCols: number },
): DeviceBlock[] {
  const blocks: DeviceBlock[] = []
  try {
    for (const layout of blocksInClassOrder(set, rowsPerBlock)) blocks.push(emptyBlock(context, layout, paddedCols))
  } catch (error) {
    for (const { rows } of blocks) rows[dispose]()
    throw error
  }
  return blocks
}

function emptyBlock({ backend }: Context, { rows, starts, positions }: BlockLayout, cols: number): DeviceBlock {
  try {
    return { rows: new ClassedRows(backend, backend.empty({ rows, cols, type: 'f32' }), starts), positions }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    const bytes = rows * cols * 4
    const message = `activations: ${bytes} bytes of them do not fit into memory here; set memory (--memory) to what there is, and they are read block by block`
    throw new InputError('too-large', message, { bytes }, cause)
  }
}

/** Puts rows, less the shift, where they belong in the blocks. */
function fill(set: ActivationSet, blocks: readonly DeviceBlock[]): (read: UploadedRead, shift: DeviceMatrix) => void {
  const placesOf = placer(
    set.classOf,
    blocks.map(({ rows }) => rows.starts),
  )
  return ({ start, rows: count, given }, shift) => {
    for (const [block, data] of placesOf(start, count)) {
      const { x, backend } = (blocks[block] as DeviceBlock).rows
      using places = backend.upload({ data, rows: count, cols: 1, type: 'u32' })
      backend.run(placeRowsKernel, [given, places, shift], { rows: x.rows }, x)
    }
  }
}

/** Column means of the first rows, and which classes have rows that differ. */
function surveyor({ activations, classes, classOf }: ActivationSet) {
  const { rows, cols } = activations
  const wanted = Math.min(rows, Math.max(1, Math.floor(valuesForShift / cols)))
  const sums = new Float64Array(cols)
  let summed = 0
  const varies = new Uint8Array(classes.length)
  const firstRows: (Float32Array | undefined)[] = []
  return {
    varies,
    /** Of as many of the first rows as there were so far. */
    means: () => sums.map((sum) => sum / summed),
    add({ start, rows: count, data }: RowBlock) {
      for (let at = 0; summed < wanted && at < data.length; summed++) {
        for (let j = 0; j < cols; j++, at++) sums[j] = (sums[j] as number) + (data[at] as number)
      }
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
