import { doubleEngine } from './double-engine.js'
import { InputError } from './errors.js'
import { float16ToFloat32Table } from './float16.js'
import { showText } from './untrusted-text.js'

/** A row-major float32 matrix on the host: `data[row · cols + col]`. */
export interface Matrix {
  readonly data: Float32Array
  readonly rows: number
  readonly cols: number
}

/** Any array of numbers that a matrix can be read from. A `Uint16Array` holds float16 bit patterns. */
export type NumberArray = ArrayLike<number>

/** A matrix as callers give it: rows in order, `cols` numbers each. A `Uint16Array` holds float16 bit patterns. */
export interface DenseInput {
  readonly data: NumberArray
  readonly rows: number
  readonly cols: number
}

/** A scijs `ndarray` of two dimensions, strided views included (only its public fields are read). */
export interface StridedInput {
  readonly data: unknown
  readonly shape: readonly number[]
  readonly stride: readonly number[]
  readonly offset: number
}

export type MatrixInput = DenseInput | StridedInput

/**
 * Reads a caller's matrix into row-major float32 and checks it: shapes add up, every value is finite and fits float32.
 *
 * `input`: `{data, rows, cols}` or a two-dimensional `ndarray`; float16 (`Float16Array`, or bit patterns in a `Uint16Array`), float32,
 * float64 and integer arrays. A float32 array that is already dense is viewed, not copied. `where` names the matrix in messages. `unchecked` leaves the values of
 * an array that is viewed to whoever asked for that.
 * Throws `InputError` `bad-shape`, `bad-type` or `not-finite`, the latter with row and column of the first offender.
 */
export function toMatrix(input: MatrixInput, where: string, { unchecked = false }: { readonly unchecked?: boolean } = {}): Matrix {
  const strided = asStrided(input, where)
  const { data, rows, cols } = strided
  const dense = strided.rowStride === cols && strided.colStride === 1
  if (data instanceof Float32Array && dense) {
    const matrix = { data: data.subarray(strided.offset, strided.offset + rows * cols), rows, cols }
    return unchecked ? matrix : checkFinite(matrix, where)
  }
  const out = allocate(rows, cols, where)
  if (out.length === 0) return { data: out, rows, cols }
  const valueAt = reader(data)
  for (let row = 0, at = 0; row < rows; row++) {
    let from = strided.offset + row * strided.rowStride
    for (let col = 0; col < cols; col++, at++, from += strided.colStride) out[at] = valueAt(from)
  }
  const original = (row: number, col: number) => valueAt(strided.offset + row * strided.rowStride + col * strided.colStride)
  return checkFinite({ data: out, rows, cols }, where, { original })
}

/** Numbers as float32 (the array itself where it is that already, else `room` where they fit it), and as they were before. Throws `InputError` `bad-type`. */
export function toFloat32(
  given: NumberArray,
  where: string,
  room?: Float32Array | null,
): { readonly data: Float32Array; readonly original: (at: number) => number } {
  const values = numbers(given, where)
  const original = reader(values)
  if (values instanceof Float32Array) return { data: values, original }
  const data = room?.length === values.length ? room : new Float32Array(values.length)
  for (let at = 0; at < data.length; at++) data[at] = original(at)
  return { data, original }
}

/** The number at an index. A plain array may hold anything: null, which stands for NaN in JSON, would read as 0. */
function reader(data: ArrayLike<unknown>): (at: number) => number {
  if (data instanceof Uint16Array) {
    const halves = float16ToFloat32Table()
    return (at) => halves[data[at] as number] as number
  }
  return (at) => (typeof data[at] === 'number' ? (data[at] as number) : Number.NaN)
}

/** A strided view can repeat its values, so its size is not bounded by the memory that they take. */
function allocate(rows: number, cols: number, where: string): Float32Array {
  try {
    return new Float32Array(rows * cols)
  } catch (cause) {
    const message = `${where}: ${rows} × ${cols} values do not fit into memory here; audit fewer rows`
    throw new InputError('too-large', message, { rows, cols }, cause)
  }
}

/**
 * Returns `matrix` if every value is finite; otherwise throws `InputError` `not-finite` naming the first row (counted from `firstRow`)
 * and column. `original` tells the value before it was converted to float32, so that an overflow is told from an infinity.
 */
export function checkFinite(
  matrix: Matrix,
  where: string,
  options: { readonly original?: (row: number, col: number) => number; readonly firstRow?: number } = {},
): Matrix {
  const { data, cols } = matrix
  const { original = (row, col) => data[row * cols + col] as number, firstRow = 0 } = options
  const engine = doubleEngine()
  const block = engine ? 2 ** 16 : 4096
  for (let start = 0; start < data.length; start += block) {
    const end = Math.min(start + block, data.length)
    if (engine && engine.loops.nonFinite(engine.enter(data.subarray(start, end))[0] as number, end - start) === 0) continue
    // Four sums, none of which waits for another.
    let [a, b, c, d] = [0, 0, 0, 0]
    let i = start
    for (; i + 3 < end; i += 4) {
      a += (data[i] as number) * 0
      b += (data[i + 1] as number) * 0
      c += (data[i + 2] as number) * 0
      d += (data[i + 3] as number) * 0
    }
    for (; i < end; i++) a += (data[i] as number) * 0
    if (a + b + c + d === 0) continue
    const bad = data.subarray(start, end).findIndex((value) => !Number.isFinite(value)) + start
    const col = bad % cols
    const value = original(Math.floor(bad / cols), col)
    const row = firstRow + Math.floor(bad / cols)
    const got = Number.isFinite(value) ? `${value}, which float32 cannot hold` : showText(value)
    throw new InputError(
      'not-finite',
      `${where}: row ${row}, column ${col} is ${got}, expected a finite number; drop or mend that row before the audit`,
      { row, col, value: showText(value) },
    )
  }
  return matrix
}

interface Strided {
  readonly data: ArrayLike<number>
  readonly rows: number
  readonly cols: number
  readonly offset: number
  readonly rowStride: number
  readonly colStride: number
}

function asStrided(input: MatrixInput, where: string): Strided {
  if (input === null || typeof input !== 'object') {
    throw new InputError('bad-type', `${where}: got ${input === null ? 'null' : typeof input}, expected {data, rows, cols} or an ndarray`)
  }
  const data = numbers(input.data, where)
  if ('shape' in input) {
    const { shape, stride, offset } = input
    if (!Array.isArray(shape) || shape.length !== 2 || !Array.isArray(stride) || stride.length !== 2) {
      throw new InputError('bad-shape', `${where}: got an ndarray of shape [${shape}], expected two dimensions [rows, features]`)
    }
    const [rows, cols] = shape as [number, number]
    const [rowStride, colStride] = stride as [number, number]
    checkCounts(rows, cols, where)
    const corners = [0, (rows - 1) * rowStride, (cols - 1) * colStride, (rows - 1) * rowStride + (cols - 1) * colStride]
    const inside = rows * cols === 0 || corners.every((corner) => offset + corner >= 0 && offset + corner < data.length)
    if (![offset, rowStride, colStride].every(Number.isSafeInteger) || !inside) {
      throw new InputError(
        'bad-shape',
        `${where}: the ndarray's shape [${shape}], stride [${stride}] and offset ${offset} reach outside its ${data.length} values`,
      )
    }
    return { data, rows, cols, offset, rowStride, colStride }
  }
  const { rows, cols } = input
  checkCounts(rows, cols, where)
  if (data.length !== rows * cols) {
    throw new InputError('bad-shape', `${where}: got ${data.length} values, expected rows × cols = ${rows} × ${cols} = ${rows * cols}`, {
      length: data.length,
      rows,
      cols,
    })
  }
  return { data, rows, cols, offset: 0, rowStride: cols, colStride: 1 }
}

function numbers(data: unknown, where: string): ArrayLike<number> {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Array.from(data, Number)
  if ((ArrayBuffer.isView(data) && !(data instanceof DataView)) || Array.isArray(data)) return data as unknown as ArrayLike<number>
  throw new InputError(
    'bad-type',
    `${where}: data is ${typeof data}, expected a typed array (Float32Array, Float64Array, Uint16Array as float16, …)`,
  )
}

function checkCounts(rows: number, cols: number, where: string): void {
  if (!Number.isSafeInteger(rows) || !Number.isSafeInteger(cols) || rows < 0 || cols < 0) {
    throw new InputError('bad-shape', `${where}: got rows ${rows} and cols ${cols}, expected whole numbers ≥ 0`, { rows, cols })
  }
}
