import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ArraySource, Images } from './array-source.js'
import { type ByteSource, readBytes } from './byte-source.js'
import { type Dtype, decodeArray, type FileArray, numericDtypes } from './file-array.js'
import { matrixShape } from './matrix-shape.js'
import { pixelImages } from './pixel-images.js'
import { type RowBlocks, rowsInBytes } from './row-blocks.js'
import { parseSafetensorsHeader, type SafetensorsHeader, type SafetensorsTensor } from './safetensors-header.js'

/** Many times what a data set or a model of a thousand layers needs. */
const maxHeaderBytes = 16 * 2 ** 20

/** bfloat16 is the upper half of a float32. */
const bfloat16: Dtype = {
  name: 'bfloat16',
  itemBytes: 2,
  wordBytes: 2,
  decode(bytes, count) {
    const halves = new Uint16Array(bytes.buffer)
    const words = new Uint32Array(count)
    for (let index = 0; index < count; index++) words[index] = (halves[index] as number) << 16
    return new Float32Array(words.buffer)
  },
}

const numpyCodes = { BOOL: 'b1', I8: 'i1', I16: 'i2', I32: 'i4', I64: 'i8', U8: 'u1', U16: 'u2', U32: 'u4', U64: 'u8' } as const
const floatCodes = { F16: 'f2', F32: 'f4', F64: 'f8' } as const

const dtypes: ReadonlyMap<string, Dtype> = new Map([
  ...Object.entries({ ...numpyCodes, ...floatCodes }).map(([name, code]) => [name, numericDtypes[code] as Dtype] as const),
  ['BF16', bfloat16] as const,
])

/**
 * Opens a safetensors file: each tensor under its name, in the order of their bytes. Read front to back, each tensor when it is asked
 * for, or its rows block by block. Stricter than the reference reader: no key twice, no lone surrogates, no bytes that belong to no tensor.
 *
 * Throws `InputError`: `truncated`, `too-large`, `bad-header`, `duplicate-name`, `unsupported-dtype`, `bad-shape` where a tensor's bytes
 * are not what its shape asks for, `bad-offsets` for tensors that overlap or leave holes, `trailing-bytes`.
 */
export async function openSafetensors(source: ByteSource): Promise<Map<string, ArraySource>> {
  const where = showText(source.name, 300)
  const { tensors, dataStart } = await readSafetensorsHeader(source, where)
  const arrays = new Map<string, ArraySource>()
  for (const tensor of tensors) {
    arrays.set(tensor.name, {
      name: `${source.name}:${tensor.name}`,
      position: tensor.start,
      readArray: (label) => readTensor(source, dataStart, tensor, label),
      openRows: async (label) => openTensorRows(source, dataStart, tensor, label),
      openImages: async (label) => openTensorImages(source, dataStart, tensor, label),
    })
  }
  return arrays
}

/**
 * The header with its tensors sorted by their bytes, and found to fill the rest of the file exactly. `more`: bytes per item of dtypes that
 * are allowed beside those that are read here. Throws what `openSafetensors` does.
 */
export async function readSafetensorsHeader(
  source: ByteSource,
  where: string,
  more: ReadonlyMap<string, number> = new Map(),
): Promise<SafetensorsHeader & { readonly dataStart: number }> {
  if (source.byteLength < 8) {
    throw new InputError('truncated', `${where}: has ${source.byteLength} bytes, expected at least the 8 of a length; copy it again`)
  }
  const prelude = await readBytes(source, 0, 8, where)
  const length = new DataView(prelude.buffer).getBigUint64(0, true)
  const rest = source.byteLength - 8
  if (length > BigInt(rest)) {
    throw new InputError('truncated', `${where}: declares a header of ${length} bytes, but has ${rest} after its length; copy it again`)
  }
  if (length > BigInt(maxHeaderBytes)) {
    throw new InputError(
      'too-large',
      `${where}: declares a header of ${length} bytes, expected at most ${maxHeaderBytes}; save fewer arrays`,
    )
  }
  const dataStart = 8 + Number(length)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(await readBytes(source, 8, dataStart, where))
  } catch (cause) {
    if (cause instanceof InputError) throw cause
    throw new InputError('bad-header', `${where}: the safetensors header is not valid UTF-8; write the file again`, {}, cause)
  }
  const { tensors, metadata } = parseSafetensorsHeader(text, where)
  const sorted = [...tensors].sort((a, b) => a.start - b.start || a.end - b.end)
  checkLayout(sorted, source.byteLength - dataStart, { where, more })
  return { tensors: sorted, metadata, dataStart }
}

/** Tensors have the size that their shape asks for, and follow each other without overlap or hole up to the last byte. */
function checkLayout(
  tensors: readonly SafetensorsTensor[],
  dataBytes: number,
  { where, more }: { readonly where: string; readonly more: ReadonlyMap<string, number> },
): void {
  let filled = 0
  for (const { name, dtype, shape, start, end } of tensors) {
    const label = `${where}: tensor '${showText(name)}'`
    const offsets = `data_offsets [${start}, ${end}]`
    const itemBytes = dtypes.get(dtype)?.itemBytes ?? more.get(dtype)
    if (itemBytes === undefined) {
      const known = [...dtypes.keys()].join(', ')
      throw new InputError('unsupported-dtype', `${label} has dtype '${showText(dtype, 40)}', expected one of ${known}; convert it`, {
        dtype: showText(dtype, 40),
      })
    }
    if (start > end) throw new InputError('bad-offsets', `${label} has ${offsets}, which run backwards; write the file again`)
    if (end > dataBytes) {
      throw new InputError('truncated', `${label} has ${offsets}, beyond the ${dataBytes} bytes of data in the file; copy it again`)
    }
    // a product of whole numbers that comes out at most 2⁵³ − 1 in float64 was rounded nowhere on the way
    const expected = itemBytes * (shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1))
    if (expected !== end - start) {
      throw new InputError(
        'bad-shape',
        `${label} has ${end - start} bytes, expected ${expected} for shape [${shape.join(', ')}] of ${dtype}; write the file again`,
        { shape, got: end - start, expected },
      )
    }
    if (start < filled) {
      throw new InputError(
        'bad-offsets',
        `${label} overlaps the one before it: it begins at byte ${start}, expected ${filled}; write the file again`,
      )
    }
    if (start > filled) {
      throw new InputError(
        'bad-offsets',
        `${label} leaves a hole before it: it begins at byte ${start}, expected ${filled}; write the file again`,
      )
    }
    filled = end
  }
  if (filled < dataBytes) {
    throw new InputError(
      'trailing-bytes',
      `${where}: has ${dataBytes - filled} bytes behind its last tensor, expected none; write the file again`,
      { got: dataBytes, expected: filled },
    )
  }
}

async function readTensor(source: ByteSource, dataStart: number, tensor: SafetensorsTensor, where: string): Promise<FileArray> {
  const dtype = dtypeOf(tensor)
  const bytes = await readBytes(source, dataStart + tensor.start, dataStart + tensor.end, where)
  const data = decodeArray(bytes, { dtype, littleEndian: true, count: bytes.length / dtype.itemBytes }, where)
  return { dtype: dtype.name, shape: tensor.shape, data }
}

function openTensorRows(source: ByteSource, dataStart: number, tensor: SafetensorsTensor, where: string): RowBlocks {
  const dtype = dtypeOf(tensor)
  const shape = matrixShape({ dtype: dtype.name, shape: tensor.shape }, where)
  return rowsInBytes(source, { ...shape, dtype, littleEndian: true, dataStart: dataStart + tensor.start }, where)
}

function openTensorImages(source: ByteSource, dataStart: number, tensor: SafetensorsTensor, where: string): Images {
  const layout = { dtype: dtypeOf(tensor).name, shape: tensor.shape, dataStart: dataStart + tensor.start }
  return pixelImages(source, layout, where)
}

function dtypeOf(tensor: SafetensorsTensor): Dtype {
  const dtype = dtypes.get(tensor.dtype)
  if (!dtype) throw new Error('unreachable: the dtype was checked')
  return dtype
}
