import { concat } from './make-zip.js'

/** A `.npy` file with just this header text (version 1.0 unless told otherwise), true or not, and these bytes behind it. */
export function makeNpy(
  header: string | { readonly descr?: string; readonly order?: string; readonly shape?: string },
  payload: ArrayLike<number> | ArrayBufferView = [],
  version: readonly [number, number] = [1, 0],
  declaredLength?: number,
): Uint8Array {
  const text =
    typeof header === 'string'
      ? header
      : `{'descr': '${header.descr ?? '<f4'}', 'fortran_order': ${header.order ?? 'False'}, 'shape': ${header.shape ?? '(1,)'}, }\n`
  const encoded = new TextEncoder().encode(text)
  const length = declaredLength ?? encoded.length
  const prefix = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, ...version]
  for (let byte = 0; byte < (version[0] === 1 ? 2 : 4); byte++) prefix.push(Math.floor(length / 256 ** byte) & 0xff)
  const data = ArrayBuffer.isView(payload)
    ? new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)
    : Uint8Array.from(payload)
  return concat([Uint8Array.from(prefix), encoded, data])
}
