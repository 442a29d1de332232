import { allocateBytes, type ByteSource, readBytes } from './byte-source.js'
import { type Chunks, chunkBytes } from './chunks.js'

/**
 * An array as bytes `[outer, rows, inner]`, whatever its elements are. In C order `outer` is 1 and `inner` the bytes of a row; in Fortran order,
 * where the first index runs fastest, `inner` is one element and `outer` their number in a row.
 */
export interface RowBytes {
  readonly source: ByteSource
  readonly dataStart: number
  readonly outer: number
  readonly rows: number
  readonly inner: number
}

/**
 * The rows `rowOf[0]`, `rowOf[1]`, … of an array, in its own order of elements: `[outer, rowOf.length, inner]`. Ascending rows are taken a few
 * MiB at a time; others from memory, one `[rows, inner]` at a time. All bytes of the array are read, so that its source can check them.
 */
export function takeRows(array: RowBytes, rowOf: Uint32Array, where: string): Chunks {
  const { outer, inner } = array
  const streams = outer === 1 && rowOf.every((row, index) => index === 0 || row > (rowOf[index - 1] as number))
  return {
    byteLength: outer * rowOf.length * inner,
    read: () => (streams ? ascendingRows(array, rowOf, where) : anyRows(array, rowOf, where)),
  }
}

async function* ascendingRows({ source, dataStart, rows, inner }: RowBytes, rowOf: Uint32Array, where: string) {
  const step = Math.max(1, Math.floor(chunkBytes / inner))
  let from = 0
  for (let first = 0; first < rows; first += step) {
    const end = Math.min(first + step, rows)
    const bytes = await readBytes(source, dataStart + first * inner, dataStart + end * inner, where)
    let to = from
    while (to < rowOf.length && (rowOf[to] as number) < end) to++
    const taken = to - from === end - first ? bytes : gather(bytes, rowOf.subarray(from, to), { first, inner }, where)
    from = to
    if (taken.length > 0) yield taken
  }
}

async function* anyRows({ source, dataStart, outer, rows, inner }: RowBytes, rowOf: Uint32Array, where: string) {
  const slab = rows * inner
  const step = Math.max(1, Math.floor(chunkBytes / Math.max(1, slab)))
  for (let at = 0; at < outer; at += step) {
    const end = Math.min(at + step, outer)
    const bytes = await readBytes(source, dataStart + at * slab, dataStart + end * slab, where)
    for (let start = 0; start < bytes.length; start += slab) {
      yield gather(bytes.subarray(start, start + slab), rowOf, { first: 0, inner }, where)
    }
  }
}

/** Rows out of `bytes`, which begin with row `first`; runs of rows that follow each other are copied in one go. */
function gather(bytes: Uint8Array, rowOf: Uint32Array, { first, inner }: { first: number; inner: number }, where: string): Uint8Array {
  const out = allocateBytes(rowOf.length * inner, where)
  for (let at = 0; at < rowOf.length; ) {
    const row = rowOf[at] as number
    let run = 1
    while (rowOf[at + run] === row + run) run++
    out.set(bytes.subarray((row - first) * inner, (row - first + run) * inner), at * inner)
    at += run
  }
  return out
}
