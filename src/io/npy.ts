import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { Images } from './array-source.js'
import { type ByteSource, readBytes } from './byte-source.js'
import { type ArrayData, type Dtype, decodeArray, type FileArray, numericDtypes } from './file-array.js'
import { matrixShape } from './matrix-shape.js'
import { type NpyHeader, readNpyHeader } from './npy-header.js'
import { decodeBytesStrings, decodeUnicodeStrings } from './npy-strings.js'
import { writeNpy } from './npy-writer.js'
import { pixelImages } from './pixel-images.js'
import { type RowBlocks, rowsInBytes, rowsReadWhole } from './row-blocks.js'

/** Strings take more memory than their bytes: this bounds how much a file of one-byte strings can claim. */
const maxStrings = 2 ** 26

/**
 * Reads a `.npy` file: format versions 1.0 to 3.0, C and Fortran order, either byte order, every integer and float type, booleans and
 * fixed-width strings. The header is read first, then the payload front to back, once, and only after its size was found to be the
 * file's. `where` names the array in messages.
 *
 * Throws `InputError`: `object-array` (holds pickled Python objects, which are never read), `unsupported-dtype`, `truncated`,
 * `trailing-bytes`, `too-large`, `bad-string`, and what `readNpyHeader` throws.
 */
export async function readNpy(source: ByteSource, where: string): Promise<FileArray> {
  const layout = await openNpy(source, where)
  return { dtype: layout.dtype.name, shape: layout.shape, data: await readPayload(source, layout, where) }
}

/**
 * Opens a `.npy` file with a matrix whose rows are read block by block. Fortran order keeps the values of a row far apart: such a file is
 * read whole into memory at the first pass. Throws at once all that `readNpy` throws for a header and a file's size, and what
 * `matrixShape` throws.
 */
export async function openNpyRows(source: ByteSource, where: string): Promise<RowBlocks> {
  const layout = await openNpy(source, where)
  const { dtype, shape, fortranOrder } = layout
  const { rows, cols } = matrixShape({ dtype: dtype.name, shape }, where)
  if (fortranOrder && rows > 1 && cols > 1) return rowsReadWhole({ rows, cols }, () => readPayload(source, layout, where))
  return rowsInBytes(source, { ...layout, rows, cols }, where)
}

/**
 * Opens a `.npy` file with pictures, each read when it is asked for. Throws at once all that `readNpy` throws for a header and a file's
 * size, what `pixelImages` throws, and `InputError` `bad-order` for Fortran order, where the pixels of all pictures are interleaved.
 */
export async function openNpyImages(source: ByteSource, where: string): Promise<Images> {
  const { dtype, shape, dataStart, fortranOrder } = await openNpy(source, where)
  const images = pixelImages(source, { dtype: dtype.name, shape, dataStart }, where)
  if (!fortranOrder || shape.filter((size) => size > 1).length < 2) return images
  throw new InputError(
    'bad-order',
    `${where}: is in Fortran order, expected one picture after another; save numpy.ascontiguousarray(images)`,
  )
}

/** The shape alone, without the payload. Throws at once all that `readNpy` throws for a header and a file's size. */
export async function readNpyShape(source: ByteSource, where: string): Promise<readonly number[]> {
  return (await openNpy(source, where)).shape
}

/** An array in a `.npy` file. */
export interface NpyLayout extends NpyHeader {
  readonly dtype: Dtype
  readonly littleEndian: boolean
  readonly count: number
}

/** What the header says, found to be what the file has room for, to the byte. Throws all that `readNpy` throws for a header and a file's size. */
export async function openNpy(source: ByteSource, where: string): Promise<NpyLayout> {
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
  return { descr, dtype, littleEndian, fortranOrder, shape, count, dataStart }
}

async function readPayload(source: ByteSource, layout: NpyLayout, where: string): Promise<ArrayData> {
  const data = decodeArray(await readBytes(source, layout.dataStart, source.byteLength, where), layout, where)
  return layout.fortranOrder ? toRowMajor(data, layout.shape) : data
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

/** Puts elements whose first index runs fastest into C order. */
function toRowMajor(data: ArrayData, shape: readonly number[]): ArrayData {
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
  const out = (Array.isArray(data) ? new Array<string>(data.length) : data.slice()) as ArrayData
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

/** A float32 array as a `.npy` file, as `writeNpy` writes it. Throws `InputError` `bad-shape` as that does. */
export function writeNpyFloat32(data: Float32Array, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  return writeNpy(data, shape)
}
