import type { RowBlock } from './activation-rows.js'
import type { ActivationSet } from './activation-set.js'
import type { Backend, Context, DeviceMatrix } from './backend.js'
import { allRows, type BlockLayout, blocksInClassOrder, chosenRows, largestClass, type OrderedRows } from './class-order.js'
import { ClassedRows, type ClassRange } from './classed-rows.js'
import { type DeviceBlock, emptyBlocks, fill, lastTwo, oneAhead, pickBlocks, uploadShift } from './device-block.js'
import { dispose } from './dispose.js'
import { BackendError } from './errors.js'
import { gatherByClass } from './gather-by-class.js'
import type { Matrix } from './matrix.js'
import { readBlocks, type WantedRows } from './read-blocks.js'
import { readRows } from './read-rows.js'
import { type Asked, SharedPasses, type Sharer, type Watch } from './shared-passes.js'
import { inTurns } from './turns.js'
import { rowsPerUpload, uploadedReads } from './uploaded-reads.js'

/** A block and a few of its classes, as many as one run of a kernel takes. */
export interface ClassBatch extends DeviceBlock {
  readonly batch: ClassRange
}

/** A block that is read again lies beside the one that is filled meanwhile, what is being read for that, and what may not have been collected yet. */
const bytesHeldPerByte = 4

/** Blocks of chosen rows beside those of all rows, in one pass: so much smaller they are. */
const chosenShare = 4

/** Device memory that the output and the partial sums of one run may take: more where buffers may be larger, as few runs keep a GPU busy. */
const batchBytes = ({ maxBindingBytes }: Backend) => Math.max(64 * 2 ** 20, maxBindingBytes / 4)

/** What all views of a set share. */
interface Held {
  /** The rows, where they stay on the backend. */
  readonly blocks: readonly DeviceBlock[] | null
  /** How they are gathered, where every pass does that. */
  readonly gathered: readonly BlockLayout[] | null
  readonly kept: Map<string, { readonly value: unknown; isPending: boolean }>
  isDisposed: boolean
}

/** Rows as they come, or blocks of those at some positions of class order; null: of all. */
type Wanted = 'reads' | { readonly positions: Uint32Array | null }
type Taker = Asked<Wanted, DeviceBlock | RowBlock>

type Sharing = Sharer<Wanted, DeviceBlock | RowBlock>

/** Work that has its first pass over rows that are read again when they are read for the first time. */
export type EarlyWork = (set: DeviceSet) => Promise<unknown>

/** Work on a set that shares its passes with other work. */
export interface SharedWork<R> {
  readonly context: Context
  work(set: DeviceSet): Promise<R>
  readonly watch?: Watch
}

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
  readonly #held: Held
  readonly #sharing: Sharing | null

  private constructor(
    made: Pick<DeviceSet, 'context' | 'set' | 'shift' | 'rowsPerBlock' | 'varies'>,
    held: Pick<Held, 'blocks' | 'gathered'> | Held,
    sharing: Sharing | null = null,
  ) {
    this.context = made.context
    this.set = made.set
    this.shift = made.shift
    this.paddedCols = made.shift.length
    this.rowsPerBlock = made.rowsPerBlock
    this.varies = made.varies
    this.#held = 'kept' in held ? held : { ...held, kept: new Map(), isDisposed: false }
    this.#sharing = sharing
  }

  /**
   * Reads `set` once, and keeps it on the backend where it fits. Where it does not, and every pass will read it again, `early` work has its first pass
   * together with that; what comes of it is kept or fails when it is asked for again. Rejects with the signal's reason when aborted.
   */
  static async upload(context: Context, set: ActivationSet, early: readonly EarlyWork[] = []): Promise<DeviceSet> {
    const { rows, cols } = set.activations
    const { backend, memory } = context
    const paddedCols = Math.ceil(cols / 4) * 4
    const fits = rows * paddedCols * 4 <= memory
    if (fits && backend.written && set.activations.inMemory) return await DeviceSet.#gather(context, set)
    const blockBytes = fits ? backend.maxBindingBytes : Math.min(backend.maxBindingBytes, memory / bytesHeldPerByte)
    const rowsPerBlock = Math.min(rows, wholeReads(Math.max(1, Math.floor(blockBytes / (paddedCols * 4))), cols))
    return await (fits ? DeviceSet.#keepOn(context, set, rowsPerBlock) : DeviceSet.#readAgain(context, set, { rowsPerBlock, early }))
  }

  /** Puts all rows where they belong on the backend. */
  static async #keepOn(context: Context, set: ActivationSet, rowsPerBlock: number): Promise<DeviceSet> {
    const { rows, cols } = set.activations
    const { backend } = context
    const paddedCols = Math.ceil(cols / 4) * 4
    const blocks = emptyBlocks(context, blocksInClassOrder(allRows(set), rowsPerBlock), paddedCols)
    const shift = new Float32Array(paddedCols)
    const survey = surveyor(set)
    const filling = fill(set.classOf, blocks)
    let uploadedShift: DeviceMatrix | null = null
    try {
      for await (const read of uploadedReads(context, set, rowsPerUpload(cols))) {
        survey.add(read)
        if (read.start === 0) shift.set(meansOf(read, rowsForShift(set)))
        uploadedShift ??= uploadShift(backend, shift)
        filling(read, uploadedShift)
        context.progress((read.start + read.rows) / rows)
      }
    } catch (error) {
      for (const { rows } of blocks) rows[dispose]()
      throw error
    } finally {
      uploadedShift?.[dispose]()
    }
    return new DeviceSet({ context, set, shift, rowsPerBlock, varies: survey.varies }, { blocks, gathered: null })
  }

  /** Looks at all rows once, as they come. */
  static async #readAgain(
    context: Context,
    set: ActivationSet,
    { rowsPerBlock, early }: { readonly rowsPerBlock: number; readonly early: readonly EarlyWork[] },
  ): Promise<DeviceSet> {
    const { activations } = set
    const { rows, cols } = activations
    const shift = new Float32Array(Math.ceil(cols / 4) * 4)
    const first = rowsForShift(set)
    for await (const read of readRows(activations, { rowsPerBlock: first, signal: context.signal, unchecked: true })) {
      shift.set(meansOf(read, first))
      break
    }
    const survey = surveyor(set)
    const made = new DeviceSet({ context, set, shift, rowsPerBlock, varies: survey.varies }, { blocks: null, gathered: null })
    const look = async (own: DeviceSet) => {
      for await (const read of own.reads()) {
        survey.add(read)
        context.progress((read.start + read.rows) / rows)
      }
    }
    const quietly = early.map((work) => (own: DeviceSet) => work(own).catch(() => undefined))
    await made.each([look, ...quietly].map((work) => ({ context, work })))
    return made
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
    const gathered = blocksInClassOrder(allRows(set), rowsPerBlock)
    const largest = gathered.reduce((most, layout) => Math.max(most, layout.rows), 0)
    // One is gathered while threads are at work on the other.
    backend.prepare?.(gathered.slice(0, 2).map(() => largest * shift.length))
    const survey = surveyor(set)
    for await (const read of readRows(activations, { rowsPerBlock: rowsPerUpload(cols), signal })) {
      survey.add(read)
      if (read.start === 0) shift.set(meansOf(read, rowsForShift(set)))
      context.progress((read.start + read.rows) / rows)
    }
    return new DeviceSet({ context, set, shift, rowsPerBlock, varies: survey.varies }, { blocks: null, gathered })
  }

  get rows(): number {
    return this.set.activations.rows
  }

  /** Whether every pass reads the rows from where they came. */
  get isReadAgain(): boolean {
    return this.#held.blocks === null && !this.isGathered
  }

  /** Whether every pass gathers the rows from where they lie in memory. */
  get isGathered(): boolean {
    return this.#held.gathered !== null
  }

  /** Whether every class lies in one block. */
  get hasWholeClasses(): boolean {
    const { classes } = this.set
    const { blocks, gathered } = this.#held
    const layouts = gathered ?? (blocks ?? []).map(({ rows }) => rows)
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

  /**
   * All rows, or those at some positions of class order, which rise: block by block. A block is good until the next one is asked for, or, of rows that are gathered and
   * where two are to be `held`, the one after that.
   */
  async *blocks(positions?: Uint32Array, held: 1 | 2 = 1): AsyncGenerator<DeviceBlock, void, undefined> {
    this.#check()
    const { blocks } = this.#held
    if (blocks && !positions) return yield* blocks
    if (this.#sharing) return yield* this.#sharing.take({ positions: positions ?? null }) as AsyncGenerator<DeviceBlock>
    yield* (held === 2 ? lastTwo : oneAhead)(this.#made(positions ?? null), this.context.signal)
  }

  /** All rows as they were given and in that order, on the host, some at a time. They are good until the next ones are asked for. */
  async *reads(): AsyncGenerator<RowBlock, void, undefined> {
    this.#check()
    if (this.#sharing) return yield* this.#sharing.take('reads') as AsyncGenerator<RowBlock>
    const { activations } = this.set
    yield* readRows(activations, { rowsPerBlock: rowsPerUpload(activations.cols), signal: this.context.signal })
  }

  /**
   * Does several pieces of work on the set, one after the other. Where every pass reads the rows again, all at once: each pass then begins when all want one,
   * and serves them all. When one throws, the others end too.
   */
  async each<R>(pieces: readonly SharedWork<R>[]): Promise<R[]> {
    const passes = new SharedPasses<Wanted, DeviceBlock | RowBlock>((asked) => this.#pass(asked))
    const runs: Promise<R>[] = []
    for (const { context, work, watch } of pieces) {
      const run = passes.run((sharing) => work(new DeviceSet({ ...this, context }, this.#held, this.isReadAgain ? sharing : null)), watch)
      runs.push(run)
      if (!this.isReadAgain) await run
    }
    await Promise.allSettled(runs)
    await passes.end()
    return await Promise.all(runs)
  }

  /**
   * All rows of the classes of `range`, or those at `positions`, block by block and few enough classes at a time for `bytesPerClass`, given the rows of a class in
   * the block, to fit the memory of one run. Classes that a block has no rows of are left out at both ends.
   */
  async *batches(
    bytesPerClass: (rows: number) => number,
    {
      range = this.allClasses,
      positions,
      held = 1,
    }: { readonly range?: ClassRange; readonly positions?: Uint32Array | undefined; readonly held?: 1 | 2 } = {},
  ): AsyncGenerator<ClassBatch, void, undefined> {
    const limit = batchBytes(this.context.backend)
    for await (const block of this.blocks(positions, held)) {
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

  /**
   * Two where one thread can go on with a block while another is at work on the one before, and most blocks are of one class: those of several give all threads
   * something to do, and the next is better gathered meanwhile.
   */
  get mostHeld(): 1 | 2 {
    const { gathered } = this.#held
    const { threads = 1 } = this.context.backend
    return gathered && threads > 1 && 2 * gathered.length > this.set.classes.length ? 2 : 1
  }

  /** Who calls it expects to want no more passes: others that share them need not wait. */
  leavePasses(): void {
    this.#sharing?.leave()
  }

  get allClasses(): ClassRange {
    return { first: 0, end: this.set.classes.length }
  }

  /** `build()` on the first call with `key`, the same value afterwards. */
  keep<T>(key: string, build: () => T): T {
    this.#check()
    const { kept } = this.#held
    const known = kept.get(key)
    if (known) {
      const value = known.value as T
      // Others, whose work it is, may want a pass for it.
      return known.isPending && this.#sharing ? (this.#sharing.aside(value as Promise<unknown>) as T) : value
    }
    const value = build()
    const own = { value, isPending: value instanceof Promise }
    kept.set(key, own)
    const settle = () => {
      own.isPending = false
    }
    if (value instanceof Promise) value.then(settle, settle)
    return value
  }

  /** Puts one value a row from the set's own order into class order. */
  toClassOrder(values: ArrayLike<number>): Float32Array {
    const out = new Float32Array(values.length)
    const { order } = this.set
    for (let i = 0; i < out.length; i++) out[i] = values[order[i] as number] as number
    return out
  }

  /** Puts one value a row from class order back into the set's own order. */
  toRowOrder(sorted: ArrayLike<number>): Float32Array {
    const out = new Float32Array(sorted.length)
    for (let i = 0; i < sorted.length; i++) out[this.set.order[i] as number] = sorted[i] as number
    return out
  }

  [dispose](): void {
    if (this.#held.isDisposed) return
    this.#held.isDisposed = true
    for (const block of this.#held.blocks ?? []) block.rows[dispose]()
  }

  #check(): void {
    if (this.#held.isDisposed)
      throw new BackendError('disposed', 'device set: used after it was disposed; keep it alive until the last read')
  }

  #made(positions: Uint32Array | null): AsyncGenerator<DeviceBlock> | Generator<DeviceBlock> {
    const { blocks, gathered } = this.#held
    const chosen = this.#chosen(positions)
    if (blocks && positions) return pickBlocks(this.context, blocks, { ...chosen, positions })
    if (!gathered) return this.#readBlocks([{ chosen, most: this.rowsPerBlock }])
    return this.#gatherBlocks(chosen, positions ? blocksInClassOrder(chosen, this.rowsPerBlock) : gathered)
  }

  #chosen(positions: Uint32Array | null): OrderedRows {
    return positions ? chosenRows(this.set, positions) : allRows(this.set)
  }

  *#gatherBlocks(chosen: OrderedRows, layouts: readonly BlockLayout[]): Generator<DeviceBlock, void, undefined> {
    const { context, set, shift, paddedCols: cols } = this
    const { backend, signal } = context
    for (const { rows, starts, positions } of layouts) {
      const write = (data: Float32Array) =>
        inTurns(gatherByClass(set.activations.inMemory as Matrix, chosen.order, { starts, positions }, shift, data), signal)
      const x = (backend as Required<Backend>).written({ rows, cols, type: 'f32' }, write)
      yield { rows: new ClassedRows(backend, x, starts), positions }
    }
  }

  #readBlocks<W extends WantedRows>(wanted: readonly W[], onRead?: (read: RowBlock) => Promise<boolean>) {
    const { context, set, shift, rowsPerBlock: most } = this
    return readBlocks({ context, set, shift, most, wanted, onRead })
  }

  /** One pass for all takers. */
  async #pass(takers: readonly Taker[]): Promise<void> {
    const readers = takers.filter(({ wanted }) => wanted === 'reads')
    const byPositions = new Map<Uint32Array | null, Taker[]>()
    for (const taker of takers) {
      if (taker.wanted === 'reads') continue
      const { positions } = taker.wanted
      byPositions.set(positions, [...(byPositions.get(positions) ?? []), taker])
    }
    const wanted = [...byPositions].map(([positions, own]) => ({
      chosen: this.#chosen(positions),
      most: positions ? Math.ceil(this.rowsPerBlock / chosenShare) : this.rowsPerBlock,
      takers: own,
    }))
    const give = (item: DeviceBlock | RowBlock, to: readonly Taker[]) => Promise.all(to.map((taker) => taker.give(item)))
    const blocks = this.#readBlocks(wanted, async (read) => {
      await give(read, readers)
      return takers.some(({ isOver }) => !isOver)
    })
    for await (const block of oneAhead(blocks, this.context.signal)) await give(block, block.of.takers)
  }
}

/** Gathered at a time for each thread, where classes are smaller: what shares work well, and little beside what the rows themselves take. */
const gatheredBytes = 2 ** 22

/** Values of the first rows, whose column means are the shift: the same rows however they come and whatever the backend. */
const valuesForShift = 2 ** 20

/** At most `rows`, and a multiple of what is read at a time where it is more than that. */
function wholeReads(rows: number, cols: number): number {
  const perRead = rowsPerUpload(cols)
  return rows < perRead ? rows : rows - (rows % perRead)
}

/** The first rows, whose means are the shift: as many however they come. */
const rowsForShift = ({ activations: { rows, cols } }: ActivationSet) => Math.min(rows, Math.max(1, Math.floor(valuesForShift / cols)))

/** Column means of the first `count` rows. */
function meansOf({ data, rows }: RowBlock, count: number): Float64Array {
  const cols = data.length / rows
  const sums = new Float64Array(cols)
  for (let at = 0; at < count * cols; ) for (let j = 0; j < cols; j++, at++) sums[j] = (sums[j] as number) + (data[at] as number)
  return sums.map((sum) => sum / count)
}

/** Finds out which classes have rows that differ. */
function surveyor({ activations: { cols }, classes, classOf }: ActivationSet) {
  const varies = new Uint8Array(classes.length)
  const firstRows: (Float32Array | undefined)[] = []
  return {
    varies,
    add({ start, rows: count, data }: RowBlock) {
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
