import { concat } from './make-zip.js'

/** A safetensors file with just this header, true or not, and these bytes behind it. */
export function makeSafetensors(
  header: string | Uint8Array | object,
  payload: ArrayBufferView = new Uint8Array(0),
  declared?: bigint,
): Uint8Array {
  const text = typeof header === 'string' || header instanceof Uint8Array ? header : JSON.stringify(header)
  const encoded = typeof text === 'string' ? new TextEncoder().encode(text) : text
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, declared ?? BigInt(encoded.length), true)
  return concat([length, encoded, new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)])
}

/** A good file: tensors one after another. */
export function safetensorsOf(
  tensors: Readonly<Record<string, readonly [dtype: string, shape: readonly number[], data: ArrayBufferView]>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'np' } }
  let at = 0
  for (const [name, [dtype, shape, data]] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + data.byteLength] }
    at += data.byteLength
  }
  const bytes = Object.values(tensors).map(([, , data]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return makeSafetensors(`${JSON.stringify(header)}   `, concat(bytes))
}
