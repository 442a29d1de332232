import type { Backend, Context, DeviceMatrix } from './backend.js'
import { type BlockLayout, type ChosenPositions, pickRows, placer } from './class-order.js'
import { ClassedRows } from './classed-rows.js'
import { dispose } from './dispose.js'
import { InputError } from './errors.js'
import { pause } from './pause.js'
import { placeRowsKernel } from './place-rows.js'
import type { UploadedRead } from './uploaded-reads.js'

/** Some rows of a set on the backend, class by class. */
export interface DeviceBlock {
  readonly rows: ClassedRows
  /** Where in class order of the rows that were asked for the block's first row of each class stands; those after it follow. */
  readonly positions: Uint32Array
}

export const uploadShift = (backend: Backend, shift: Float32Array) =>
  backend.upload({ data: shift, rows: 1, cols: shift.length, type: 'f32' })

export function emptyBlocks(context: Context, layouts: readonly BlockLayout[], cols: number): DeviceBlock[] {
  const blocks: DeviceBlock[] = []
  try {
    for (const layout of layouts) blocks.push(emptyBlock(context, layout, cols))
  } catch (error) {
    for (const { rows } of blocks) rows[dispose]()
    throw error
  }
  return blocks
}

export function emptyBlock({ backend }: Context, { rows, starts, positions }: BlockLayout, cols: number): DeviceBlock {
  try {
    return { rows: new ClassedRows(backend, backend.empty({ rows, cols, type: 'f32' }), starts), positions }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    const bytes = rows * cols * 4
    const message = `activations: ${bytes} bytes of them do not fit into memory here; set memory (--memory) to what there is, and they are read block by block`
    throw new InputError('too-large', message, { bytes }, cause)
  }
}

/** Puts rows, less the shift, where they belong in the blocks, if anywhere: `classOf` may be −1. */
export function fill(classOf: Int32Array, blocks: readonly DeviceBlock[]): (read: UploadedRead, shift: DeviceMatrix) => void {
  const placesOf = placer(
    classOf,
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

/** Of blocks that stay on the backend the rows that are chosen. */
export function* pickBlocks(
  context: Context,
  blocks: readonly DeviceBlock[],
  chosen: ChosenPositions,
): Generator<DeviceBlock, void, undefined> {
  const { backend } = context
  const cols = blocks[0]?.rows.x.cols ?? 0
  using unshifted = uploadShift(backend, new Float32Array(cols))
  for (const { rows: all, positions } of blocks) {
    const { rows } = all.x
    const { picked, places } = pickRows({ rows, starts: all.starts, positions }, chosen)
    if (picked.rows === 0) continue
    const block = emptyBlock(context, picked, cols)
    using placesColumn = backend.upload({ data: places, rows, cols: 1, type: 'u32' })
    backend.run(placeRowsKernel, [all.x, placesColumn, unshifted], { rows: picked.rows }, block.rows.x)
    yield block
  }
}

/** Blocks, each made while the one before is looked at, and gone when the next one is asked for. */
export async function* oneAhead<B extends DeviceBlock>(
  made: AsyncGenerator<B> | Generator<B>,
  signal: AbortSignal | undefined,
): AsyncGenerator<B, void, undefined> {
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

/** Blocks, each begun when it is asked for, of which the last two stay. */
export async function* lastTwo<B extends DeviceBlock>(
  made: AsyncGenerator<B> | Generator<B>,
  signal: AbortSignal | undefined,
): AsyncGenerator<B, void, undefined> {
  const held: B[] = []
  try {
    for await (const block of made) {
      held.push(block)
      yield block
      if (held.length < 2) continue
      held.shift()?.rows[dispose]()
      await pause() // so that the next one may have its memory
      signal?.throwIfAborted()
    }
  } finally {
    for (const { rows } of held) rows[dispose]()
  }
}
