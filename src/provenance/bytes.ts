import { fromBase64, toBase64 } from '../core/bytes-as-text.js'
import { Refusal } from './refusal.js'

/** Standard base64 with its padding (RFC 4648 §4), and no other spelling of the same bytes. Throws `Refusal` `base64-not-canonical`. */
export function fromStrictBase64(text: string, where: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer> | null = null
  try {
    bytes = fromBase64(text)
  } catch {
    // not base64 at all
  }
  // what it forgives, spelling the bytes again does not
  if (bytes === null || toBase64(bytes) !== text) {
    throw new Refusal(
      'base64-not-canonical',
      `${where}: is not canonical base64, expected the standard alphabet, padding, and nothing else`,
    )
  }
  return bytes
}

/** Of hexadecimal that was checked before. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
