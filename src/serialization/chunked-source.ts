import { type ByteSource, checkRange } from '../io/byte-source.js'

/** Bytes in memory in pieces, one after another: putting them together would take as long as unpacking them. Slices within a piece are views. */
export function chunkedSource(name: string, chunks: readonly Uint8Array[]): ByteSource {
  const starts: number[] = []
  let byteLength = 0
  for (const chunk of chunks) {
    starts.push(byteLength)
    byteLength += chunk.length
  }
  /** Of the last chunk that begins at or before `at`. */
  const indexAt = (at: number): number => {
    let [low, high] = [0, starts.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] as number) <= at) low = middle
      else high = middle
    }
    return low
  }
  const copy = (into: Uint8Array, start: number): void => {
    let filled = 0
    for (let index = indexAt(start); filled < into.length; index++) {
      const from = start + filled - (starts[index] as number)
      const part = (chunks[index] as Uint8Array).subarray(from, from + into.length - filled)
      into.set(part, filled)
      filled += part.length
    }
  }
  return {
    name,
    byteLength,
    async fill(bytes, start) {
      checkRange(start, start + bytes.length, byteLength)
      copy(bytes, start)
    },
    async slice(start, end) {
      checkRange(start, end, byteLength)
      const index = indexAt(start)
      const first = chunks[index]
      const from = start - (starts[index] ?? 0)
      if (first && from + end - start <= first.length) return first.subarray(from, from + end - start)
      const bytes = new Uint8Array(end - start)
      copy(bytes, start)
      return bytes
    },
  }
}
