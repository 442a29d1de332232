import { type Chunks, inMemory, joined } from './chunks.js'

export interface WritableTensor {
  readonly name: string
  /** As the format names it: `F16`, `BF16`, `I64`, … */
  readonly dtype: string
  readonly shape: readonly number[]
  /** Little-endian, C order. */
  readonly data: Chunks
}

/** Tensors as a `.safetensors` file, one behind the other in the order given; the header is padded with spaces to a multiple of 8 bytes. */
export function safetensorsChunks(tensors: readonly WritableTensor[], metadata: ReadonlyMap<string, string>): Chunks {
  const fields: string[] = []
  if (metadata.size > 0) fields.push(`"__metadata__":${jsonObject([...metadata].map(([key, value]) => [key, JSON.stringify(value)]))}`)
  let at = 0
  for (const { name, dtype, shape, data } of tensors) {
    const end = at + data.byteLength
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at, end] })}`)
    at = end
  }
  const text = new TextEncoder().encode(`{${fields.join(',')}}`)
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true)
  header.set(text, 8)
  return joined([inMemory(header), ...tensors.map(({ data }) => data)])
}

/** By hand: an object of ours would lose a key `__proto__`, and put keys that look like numbers first. */
function jsonObject(entries: readonly (readonly [key: string, json: string])[]): string {
  return `{${entries.map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',')}}`
}
