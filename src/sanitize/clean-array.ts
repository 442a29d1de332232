import { InputError } from '../core/errors.js'
import type { ByteSource } from '../io/byte-source.js'
import { type Chunks, inMemory, joined, wholeSource } from '../io/chunks.js'
import { openNpy } from '../io/npy.js'
import { npyHeader } from '../io/npy-writer.js'
import type { SafetensorsTensor } from '../io/safetensors-header.js'
import type { WritableTensor } from '../io/safetensors-writer.js'
import { type RowBytes, takeRows } from '../io/take-rows.js'

/** What becomes of an array: some of its rows, of which it has to have `rows`; other whole numbers of the same type; or a copy. */
export type Treatment =
  | { readonly kind: 'rows'; readonly rows: number; readonly rowOf: Uint32Array }
  | { readonly kind: 'numbers'; readonly values: Uint32Array }
  | { readonly kind: 'copy' }

/**
 * A `.npy` file out of another: same type, byte order and order of elements. Throws `InputError` `row-count`, and what `readNpy` throws for a
 * header.
 */
export async function cleanNpy(source: ByteSource, treatment: Treatment, where: string): Promise<Chunks> {
  if (treatment.kind === 'copy') return wholeSource(source, where)
  const { descr, dtype, littleEndian, fortranOrder, shape, dataStart } = await openNpy(source, where)
  if (treatment.kind === 'numbers') {
    const { values } = treatment
    const header = npyHeader({ descr, fortranOrder, shape: [values.length] })
    return joined([inMemory(header), inMemory(integerBytes(values, { itemBytes: dtype.itemBytes, littleEndian }))])
  }
  const rest = checkRows(shape, treatment.rows, where)
  const inRow = rest.reduce((product, size) => product * size, 1)
  const [outer, inner] = fortranOrder ? [inRow, dtype.itemBytes] : [1, inRow * dtype.itemBytes]
  const header = npyHeader({ descr, fortranOrder, shape: [treatment.rowOf.length, ...rest] })
  const array: RowBytes = { source, dataStart, outer, rows: treatment.rows, inner }
  return joined([inMemory(header), takeRows(array, treatment.rowOf, where)])
}

/** As `cleanNpy`, of a tensor in a `.safetensors` file whose data begin at `dataStart`. */
export function cleanTensor(
  { source, dataStart }: { readonly source: ByteSource; readonly dataStart: number },
  { name, dtype, shape, start, end }: SafetensorsTensor,
  treatment: Treatment,
  where: string,
): WritableTensor {
  if (treatment.kind === 'numbers') {
    const { values } = treatment
    const itemBytes = Number(/\d+$/.exec(dtype)?.[0]) / 8
    return { name, dtype, shape: [values.length], data: inMemory(integerBytes(values, { itemBytes, littleEndian: true })) }
  }
  const rows = treatment.kind === 'rows' ? treatment.rows : 1
  const array: RowBytes = { source, dataStart: dataStart + start, outer: 1, rows, inner: (end - start) / rows }
  if (treatment.kind === 'copy') return { name, dtype, shape, data: takeRows(array, Uint32Array.of(0), where) }
  const rest = checkRows(shape, rows, where)
  return { name, dtype, shape: [treatment.rowOf.length, ...rest], data: takeRows(array, treatment.rowOf, where) }
}

/** The shape of a row. */
function checkRows([got, ...rest]: readonly number[], rows: number, where: string): readonly number[] {
  if (got === rows) return rest
  throw new InputError('row-count', `${where}: has ${got ?? 'no'} rows, expected ${rows}, one for each row of activations`, { got, rows })
}

/** Whole numbers from 0 up, which the type of `itemBytes` bytes holds. */
function integerBytes(values: Uint32Array, { itemBytes, littleEndian }: { itemBytes: number; littleEndian: boolean }): Uint8Array {
  const bytes = new Uint8Array(values.length * itemBytes)
  const view = new DataView(bytes.buffer)
  for (const [index, value] of values.entries()) {
    const at = index * itemBytes
    if (itemBytes === 1) view.setUint8(at, value)
    else if (itemBytes === 2) view.setUint16(at, value, littleEndian)
    else if (itemBytes === 4) view.setUint32(at, value, littleEndian)
    else view.setBigUint64(at, BigInt(value), littleEndian)
  }
  return bytes
}
