import type { ActivationSet } from './activation-set.js'

/**
 * SHA-256 (hex) of a set that came as arrays: over the checked activations, then the labels, each as a line `name dtype shape` followed by
 * the little-endian bytes; labels that are not all numbers go as JSON. Two sets with the same activations and labels have the same
 * digest, whatever arrays they came in.
 */
export async function digestOfArrays(set: ActivationSet): Promise<string> {
  const { data, rows, cols } = set.activations
  const text = new TextEncoder()
  const labels = set.classes.map(({ label }) => label)
  const numeric = labels.every((label) => typeof label === 'number')
  const perRow = Array.from(set.classOf, (c) => labels[c] as number | string)
  const parts: Uint8Array[] = [
    text.encode(`activations float32 ${rows},${cols}\n`),
    littleEndian(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 4),
    text.encode(`labels ${numeric ? 'float64' : 'json'} ${rows}\n`),
    numeric ? littleEndian(new Uint8Array(Float64Array.from(perRow as number[]).buffer), 8) : text.encode(JSON.stringify(perRow)),
  ]
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.byteLength
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The bytes of an array of `width`-byte numbers in little-endian order: a view where the machine has that order. */
function littleEndian(bytes: Uint8Array, width: number): Uint8Array {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) return bytes
  const swapped = bytes.slice()
  for (let at = 0; at < swapped.length; at += width) swapped.subarray(at, at + width).reverse()
  return swapped
}
