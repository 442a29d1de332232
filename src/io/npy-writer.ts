import { InputError } from '../core/errors.js'
import { hostIsLittleEndian, swapWords } from './file-array.js'

/** What can be written: float32, int32 and uint8. */
export type WritableArray = Float32Array | Int32Array | Uint8Array

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
  const payload = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (hostIsLittleEndian || data.BYTES_PER_ELEMENT === 1) return { header: headerOf(data, shape), payload }
  const swapped = new Uint8Array(payload)
  swapWords(swapped, data.BYTES_PER_ELEMENT)
  return { header: headerOf(data, shape), payload: swapped }
}

function headerOf(data: WritableArray, shape: readonly number[]): Uint8Array {
  const descr = data instanceof Float32Array ? '<f4' : data instanceof Int32Array ? '<i4' : '|u1'
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  let text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`
  // numpy leaves room for the first dimension to grow to 21 digits, so that rows can be appended in place
  if (shape.length > 0) text = text.padEnd(text.length + 21 - String(shape[0]).length)
  // as numpy has it, at least one space of padding: a header that ends on the boundary gets 64 more
  const dataStart = (Math.floor((10 + text.length + 1) / 64) + 1) * 64
  text = `${text.padEnd(dataStart - 11)}\n`
  const header = new Uint8Array(dataStart)
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 0xff, text.length >> 8])
  header.set(new TextEncoder().encode(text), 10)
  return header
}
