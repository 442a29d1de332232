import { InputError } from '../core/errors.js'
import { hostIsLittleEndian, swapWords } from './file-array.js'
import type { NpyHeader } from './npy-header.js'

/** What can be written: float32, int32, uint32 and uint8. */
export type WritableArray = Float32Array | Int32Array | Uint32Array | Uint8Array

/**
 * An array as a `.npy` file, byte for byte as `numpy.save` writes it: version 1.0, little-endian, C order, payload aligned to 64 bytes.
 * Throws `InputError` `bad-shape` where the shape's product is not the number of values.
 */
export function writeNpy(data: WritableArray, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const { header, payload } = npyParts(data, shape)
  const bytes = new Uint8Array(header.length + payload.length)
  bytes.set(header)
  bytes.set(payload, header.length)
  return bytes
}

/** The two parts of a `.npy` file. The payload is a view of `data` where this machine has the file's byte order. */
export function npyParts(data: WritableArray, shape: readonly number[]): { readonly header: Uint8Array; readonly payload: Uint8Array } {
  const count = shape.reduce((product, size) => product * size, 1)
  if (count !== data.length || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new InputError('bad-shape', `npy: got ${data.length} values for shape [${shape.join(', ')}], expected ${count}`)
  }
  const header = npyHeader({ descr: descrOf(data), fortranOrder: false, shape })
  const payload = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (hostIsLittleEndian || data.BYTES_PER_ELEMENT === 1) return { header, payload }
  const swapped = new Uint8Array(payload)
  swapWords(swapped, data.BYTES_PER_ELEMENT)
  return { header, payload: swapped }
}

function descrOf(data: WritableArray): string {
  if (data instanceof Float32Array) return '<f4'
  if (data instanceof Int32Array) return '<i4'
  return data instanceof Uint32Array ? '<u4' : '|u1'
}

/** What stands in front of the payload of a `.npy` file of version 1.0: a multiple of 64 bytes. `descr` is one that numpy writes. */
export function npyHeader({ descr, fortranOrder, shape }: Omit<NpyHeader, 'dataStart'>): Uint8Array<ArrayBuffer> {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  let text = `{'descr': '${descr}', 'fortran_order': ${fortranOrder ? 'True' : 'False'}, 'shape': ${tuple}, }`
  // numpy leaves room for the dimension that can grow to get 21 digits, so that rows can be appended in place
  const growing = fortranOrder ? shape.at(-1) : shape[0]
  if (growing !== undefined) text = text.padEnd(text.length + 21 - String(growing).length)
  // as numpy has it, at least one space of padding: a header that ends on the boundary gets 64 more
  const dataStart = (Math.floor((10 + text.length + 1) / 64) + 1) * 64
  text = `${text.padEnd(dataStart - 11)}\n`
  const header = new Uint8Array(dataStart)
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 0xff, text.length >> 8])
  header.set(new TextEncoder().encode(text), 10)
  return header
}
