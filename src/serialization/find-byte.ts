interface Searchable {
  indexOf(byte: number, from?: number): number
}

/** Node's own, which is several times as fast as that of a typed array. */
const NodeBuffer = (globalThis as { Buffer?: { from(buffer: ArrayBufferLike, start: number, length: number): Searchable } }).Buffer

/** The same bytes, to be searched for one of them. */
export function searchable(bytes: Uint8Array): Searchable {
  return NodeBuffer ? NodeBuffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes
}
