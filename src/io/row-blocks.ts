import type { RowBlocksInput } from '../core/activation-rows.js'
import type { NumberArray } from '../core/matrix.js'
import { sharedBytes } from '../core/shared-floats.js'
import { type ByteSource, fillBytes, orTooLarge } from './byte-source.js'
import { type ArrayData, type Dtype, decodeArray } from './file-array.js'
import { readOnce } from './read-once.js'

/** Rows of a file. Each pass reads them again, where it can into memory that threads share; one that is broken off leaves nothing open. */
export interface RowBlocks extends RowBlocksInput {
  blocks(rowsPerBlock: number): AsyncGenerator<NumberArray, void, undefined>
}

/** A matrix `[rows, cols]` of numbers that lies row by row in the bytes from `dataStart` on. */
export interface RowLayout {
  readonly dtype: Dtype
  readonly littleEndian: boolean
  readonly dataStart: number
  readonly rows: number
  readonly cols: number
}

/**
 * Rows that are read from `source` by byte ranges, `rowsPerBlock` of them looked at while the next are read, or the next two where the source gains by it: blocks in memory that
 * threads see, which pass after pass takes over. The caller has checked that the source has them all. A pass throws what the source throws, and `InputError` `too-large`
 * where a block does not fit into memory.
 */
export function rowsInBytes(source: ByteSource, layout: RowLayout, where: string): RowBlocks {
  const { dtype, littleEndian, dataStart, rows, cols } = layout
  const rowBytes = cols * dtype.itemBytes
  const ahead = source.overlaps ? 2 : 1
  /** Of the pass that ended last: one that is broken off may still be reading into its own. */
  let spare: (Uint8Array | undefined)[] = []
  return {
    rows,
    cols,
    async *blocks(rowsPerBlock) {
      checkRowsPerBlock(rowsPerBlock)
      const blocks = Math.ceil(rows / rowsPerBlock)
      const rooms = spare
      spare = []
      const read = async (block: number) => {
        const row = block * rowsPerBlock
        const count = Math.min(rowsPerBlock, rows - row)
        let room = rooms[block % (ahead + 1)]
        const byteLength = count * rowBytes
        if (!room || room.byteLength < byteLength) room = orTooLarge(() => sharedBytes(byteLength), byteLength, where)
        rooms[block % (ahead + 1)] = room
        const bytes = room.subarray(0, byteLength)
        await fillBytes(source, bytes, dataStart + row * rowBytes, where)
        return toNumbers(decodeArray(bytes, { dtype, littleEndian, count: count * cols }, where))
      }
      const pending: Promise<NumberArray>[] = []
      let asked = 0
      const ask = () => {
        if (asked === blocks) return
        const next = read(asked++)
        next.catch(() => undefined) // shows when it is waited for; a pass may end before
        pending.push(next)
      }
      for (let i = 0; i < ahead; i++) ask()
      while (pending.length > 0) {
        const values = (await pending.shift()) as NumberArray
        ask()
        yield values
      }
      spare = rooms
    },
  }
}

/** Rows that can only be read all together: that happens at the first pass, and they stay in memory from then on. */
export function rowsReadWhole({ rows, cols }: { rows: number; cols: number }, read: () => Promise<ArrayData>): RowBlocks {
  const whole = readOnce(async () => toNumbers(await read()))
  return {
    rows,
    cols,
    async *blocks(rowsPerBlock) {
      checkRowsPerBlock(rowsPerBlock)
      yield* cutRows(await whole(), cols, rowsPerBlock)
    },
  }
}

/** Whole rows, row-major, in pieces of `rowsPerBlock` rows: views, not copies. */
export function* cutRows(data: NumberArray, cols: number, rowsPerBlock: number): Generator<NumberArray, void, undefined> {
  const step = rowsPerBlock * cols
  for (let start = 0; start < data.length; start += step) yield (data as Float32Array).subarray(start, start + step)
}

/** 64-bit integers become float64, which is how `toMatrix` takes them. */
export function toNumbers(data: ArrayData): NumberArray {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data as ArrayLike<bigint>, Number)
  if (Array.isArray(data)) throw new Error('unreachable: strings were refused')
  return data
}

/** Throws `RangeError` where a caller asks for blocks that cannot be: a mistake in the reader, not in the data. */
export function checkRowsPerBlock(rowsPerBlock: number): void {
  if (!Number.isSafeInteger(rowsPerBlock) || rowsPerBlock < 1) throw new RangeError(`blocks of ${rowsPerBlock} rows`)
}
