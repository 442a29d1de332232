import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from './byte-source.js'
import { readNpyHeader } from './npy-header.js'
import { decodeBytesStrings, decodeUnicodeStrings } from './npy-strings.js'

export type NpyData =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array
  | string[]

/** An array from a file, elements always in C order (last index fastest). */
export interface NpyArray {
  /**
   * `bool`, `int8` … `int64`, `uint8` … `uint64`, `float16`, `float32`, `float64`, `string` (numpy's `U`) or `bytes` (numpy's `S`, read
   * as UTF-8). It decides what `data` is: the typed array of that name, but for
   * - `float16`: bit patterns in a `Uint16Array`, which is how `toMatrix` takes float16;
   * - `uint16`: an `Int32Array`, so that it is never taken for float16;
   * - `bool`: a `Uint8Array` of 0 and 1;
   * - `string`, `bytes`: `string[]`, without the NULs that pad them.
   */
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data: NpyData
}

interface Dtype {
  readonly name: string
  readonly itemBytes: number
  /** How many bytes change places where the file's byte order is not this machine's. */
  readonly wordBytes: number
  readonly decode: (bytes: Uint8Array<ArrayBuffer>, count: number, where: string) => NpyData
}

const numeric = (name: string, itemBytes: number, decode: (buffer: ArrayBuffer) => NpyData): Dtype => ({
  name,
  itemBytes,
  wordBytes: itemBytes,
  decode: (bytes) => decode(bytes.buffer),
})

const numericDtypes: Readonly<Record<string, Dtype>> = {
  b1: numeric('bool', 1, (buffer) => new Uint8Array(buffer).map((byte) => (byte === 0 ? 0 : 1))),
  i1: numeric('int8', 1, (buffer) => new Int8Array(buffer)),
  i2: numeric('int16', 2, (buffer) => new Int16Array(buffer)),
  i4: numeric('int32', 4, (buffer) => new Int32Array(buffer)),
  i8: numeric('int64', 8, (buffer) => new BigInt64Array(buffer)),
  u1: numeric('uint8', 1, (buffer) => new Uint8Array(buffer)),
  u2: numeric('uint16', 2, (buffer) => Int32Array.from(new Uint16Array(buffer))),
  u4: numeric('uint32', 4, (buffer) => new Uint32Array(buffer)),
  u8: numeric('uint64', 8, (buffer) => new BigUint64Array(buffer)),
  f2: numeric('float16', 2, (buffer) => new Uint16Array(buffer)),
  f4: numeric('float32', 4, (buffer) => new Float32Array(buffer)),
  f8: numeric('float64', 8, (buffer) => new Float64Array(buffer)),
}

/** Strings take more memory than their bytes: this bounds how much a file of one-byte strings can claim. */
const maxStrings = 2 ** 26

const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/**
 * Reads a `.npy` file: format versions 1.0 to 3.0, C and Fortran order, either byte order, every integer and float type, booleans and
 * fixed-width strings. The header is read first, then the payload front to back, once, and only after its size was found to be the
 * file's. `where` names the array in messages.
 *
 * Throws `InputError`: `object-array` (holds pickled Python objects, which are never read), `unsupported-dtype`, `truncated`,
 * `trailing-bytes`, `too-large`, `bad-string`, and what `readNpyHeader` throws.
 */
export async function readNpy(source: ByteSource, where: string): Promise<NpyArray> {
  const { descr, fortranOrder, shape, dataStart } = await readNpyHeader(source, where)
  const { dtype, littleEndian } = parseDescr(descr, where)
  const count = countElements(shape, dtype, where)
  const expected = count * dtype.itemBytes
  const got = source.byteLength - dataStart
  if (got !== expected) {
    throw new InputError(
      got < expected ? 'truncated' : 'trailing-bytes',
      `${where}: holds ${got} bytes of data, expected ${expected} for shape [${shape.join(', ')}] of ${dtype.name}; write the file again`,
      { got, expected },
    )
  }
  const bytes = await readBytes(source, dataStart, source.byteLength, where)
  if (littleEndian !== hostIsLittleEndian) swapWords(bytes, dtype.wordBytes)
  const data = dtype.decode(bytes, count, where)
  return { dtype: dtype.name, shape, data: fortranOrder ? toRowMajor(data, shape) : data }
}

function parseDescr(descr: string, where: string): { dtype: Dtype; littleEndian: boolean } {
  const [, order, kind, size] = /^([<>|=]?)([A-Za-z])(\d{0,10})$/.exec(descr) ?? []
  if (kind === 'O') {
    throw new InputError(
      'object-array',
      `${where}: is an array of Python objects, which only unpickling can read, and unpickling runs code from the file; ` +
        'save it as numbers or fixed-width strings (array.astype(str))',
    )
  }
  const length = Number(size)
  let dtype: Dtype | undefined
  if (kind === 'U' && length > 0) {
    dtype = {
      name: 'string',
      itemBytes: 4 * length,
      wordBytes: 4,
      decode: (bytes, count, name) => decodeUnicodeStrings(bytes, count, length, name),
    }
  } else if (kind === 'S' && length > 0) {
    dtype = {
      name: 'bytes',
      itemBytes: length,
      wordBytes: 1,
      decode: (bytes, count, name) => decodeBytesStrings(bytes, count, length, name),
    }
  } else if (Object.hasOwn(numericDtypes, `${kind}${size}`)) dtype = numericDtypes[`${kind}${size}`]
  if (!dtype) {
    throw new InputError(
      'unsupported-dtype',
      `${where}: has dtype '${showText(descr, 40)}', expected booleans, integers, float16, float32, float64 or fixed-width strings; ` +
        'convert it with array.astype',
      { descr: showText(descr, 40) },
    )
  }
  return { dtype, littleEndian: order !== '>' }
}

function countElements(shape: readonly number[], { itemBytes, name }: Dtype, where: string): number {
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1)
  // a product of whole numbers that comes out at most 2⁵³ − 1 in float64 was rounded nowhere on the way
  if (!Number.isSafeInteger(count * itemBytes) || ((name === 'string' || name === 'bytes') && count > maxStrings)) {
    throw new InputError('too-large', `${where}: has shape [${shape.join(', ')}], more elements than can be read`, { shape })
  }
  return count
}

/** Reverses the bytes of every word, in place. */
function swapWords(bytes: Uint8Array<ArrayBuffer>, wordBytes: number): void {
  if (wordBytes === 1) return
  for (let start = 0; start < bytes.length; start += wordBytes) {
    for (let low = start, high = start + wordBytes - 1; low < high; low++, high--) {
      const byte = bytes[low] as number
      bytes[low] = bytes[high] as number
      bytes[high] = byte
    }
  }
}

/** Puts elements whose first index runs fastest into C order. */
function toRowMajor(data: NpyData, shape: readonly number[]): NpyData {
  // axes of length 1 change nothing, and without them there are at most 52 axes to step through
  const axes = shape.filter((size) => size !== 1)
  if (axes.length < 2 || data.length === 0) return data
  const strides: number[] = []
  let stride = 1
  for (const size of axes) {
    strides.push(stride)
    stride *= size
  }
  const last = axes.length - 1
  const [lastSize, lastStride] = [axes[last] as number, strides[last] as number]
  const index = new Array<number>(axes.length).fill(0)
  const from = data as unknown as Record<number, never>
  const out = (Array.isArray(data) ? new Array<string>(data.length) : data.slice()) as NpyData
  const to = out as unknown as Record<number, never>
  for (let at = 0, base = 0; at < data.length; ) {
    for (let j = 0, k = base; j < lastSize; j++, k += lastStride) to[at++] = from[k] as never
    for (let axis = last - 1; axis >= 0; axis--) {
      base += strides[axis] as number
      if (++(index[axis] as number) < (axes[axis] as number)) break
      base -= (index[axis] as number) * (strides[axis] as number)
      index[axis] = 0
    }
  }
  return out
}

/**
 * A float32 array as a `.npy` file, byte for byte as `numpy.save` writes it: version 1.0, little-endian, payload aligned to 64 bytes.
 * Throws `InputError` `bad-shape` where the shape's product is not the number of values.
 */
export function writeNpyFloat32(data: Float32Array, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((product, size) => product * size, 1)
  if (count !== data.length || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new InputError('bad-shape', `npy: got ${data.length} values for shape [${shape.join(', ')}], expected ${count}`)
  }
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`
  // numpy leaves room for the first dimension to grow to 21 digits, so that rows can be appended in place
  if (shape.length > 0) header = header.padEnd(header.length + 21 - String(shape[0]).length)
  // as numpy has it, at least one space of padding: a header that ends on the boundary gets 64 more
  const dataStart = (Math.floor((10 + header.length + 1) / 64) + 1) * 64
  header = `${header.padEnd(dataStart - 11)}\n`
  const bytes = new Uint8Array(dataStart + 4 * count)
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 0xff, header.length >> 8])
  bytes.set(new TextEncoder().encode(header), 10)
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataStart)
  if (!hostIsLittleEndian) swapWords(bytes.subarray(dataStart), 4)
  return bytes
}
