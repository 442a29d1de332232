export type ArrayData =
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
export interface FileArray {
  /**
   * `bool`, `int8` … `int64`, `uint8` … `uint64`, `float16`, `bfloat16`, `float32`, `float64`, `string` (numpy's `U`) or `bytes`
   * (numpy's `S`, read as UTF-8). It decides what `data` is: the typed array of that name, but for
   * - `float16`: bit patterns in a `Uint16Array`, which is how `toMatrix` takes float16;
   * - `uint16`: an `Int32Array`, so that it is never taken for float16;
   * - `bfloat16`: a `Float32Array`;
   * - `bool`: a `Uint8Array` of 0 and 1;
   * - `string`, `bytes`: `string[]`, without the NULs that pad them.
   */
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data: ArrayData
}

export interface Dtype {
  readonly name: string
  readonly itemBytes: number
  /** How many bytes change places where the file's byte order is not this machine's. */
  readonly wordBytes: number
  readonly decode: (bytes: Uint8Array, count: number, where: string) => ArrayData
}

const numeric = (name: string, itemBytes: number, decode: (buffer: ArrayBufferLike, count: number) => ArrayData): Dtype => ({
  name,
  itemBytes,
  wordBytes: itemBytes,
  decode: (bytes, count) => decode(bytes.buffer, count),
})

/** By the codes that numpy has for them. */
export const numericDtypes: Readonly<Record<string, Dtype>> = {
  b1: numeric('bool', 1, (buffer, count) => new Uint8Array(buffer, 0, count).map((byte) => (byte === 0 ? 0 : 1))),
  i1: numeric('int8', 1, (buffer, count) => new Int8Array(buffer, 0, count)),
  i2: numeric('int16', 2, (buffer, count) => new Int16Array(buffer, 0, count)),
  i4: numeric('int32', 4, (buffer, count) => new Int32Array(buffer, 0, count)),
  i8: numeric('int64', 8, (buffer, count) => new BigInt64Array(buffer, 0, count)),
  u1: numeric('uint8', 1, (buffer, count) => new Uint8Array(buffer, 0, count)),
  u2: numeric('uint16', 2, (buffer, count) => Int32Array.from(new Uint16Array(buffer, 0, count))),
  u4: numeric('uint32', 4, (buffer, count) => new Uint32Array(buffer, 0, count)),
  u8: numeric('uint64', 8, (buffer, count) => new BigUint64Array(buffer, 0, count)),
  f2: numeric('float16', 2, (buffer, count) => new Uint16Array(buffer, 0, count)),
  f4: numeric('float32', 4, (buffer, count) => new Float32Array(buffer, 0, count)),
  f8: numeric('float64', 8, (buffer, count) => new Float64Array(buffer, 0, count)),
}

/** Whether typed arrays have the byte order that most files have. */
export const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

/** Reverses the bytes of every word, in place. */
export function swapWords(bytes: Uint8Array, wordBytes: number): void {
  if (wordBytes === 1) return
  for (let start = 0; start < bytes.length; start += wordBytes) {
    for (let low = start, high = start + wordBytes - 1; low < high; low++, high--) {
      const byte = bytes[low] as number
      bytes[low] = bytes[high] as number
      bytes[high] = byte
    }
  }
}

export interface ArrayEncoding {
  readonly dtype: Dtype
  readonly littleEndian: boolean
  readonly count: number
}

/** The `count` elements that are all of `bytes`, which begin where their memory does; their order may be changed in place. Throws what the dtype's `decode` throws. */
export function decodeArray(bytes: Uint8Array, { dtype, littleEndian, count }: ArrayEncoding, where: string): ArrayData {
  if (littleEndian !== hostIsLittleEndian) swapWords(bytes, dtype.wordBytes)
  return dtype.decode(bytes, count, where)
}
