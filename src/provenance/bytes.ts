import { Refusal } from './refusal.js'

/** Standard base64 with its padding (RFC 4648 §4), and no other spelling of the same bytes. Throws `Refusal` `base64-not-canonical`. */
export function fromBase64(text: string, where: string): Uint8Array<ArrayBuffer> {
  let binary: string | null = null
  try {
    binary = atob(text)
  } catch {
    // not base64 at all
  }
  // atob forgives spaces, missing padding and stray bits at the end; spelling the bytes again does not
  if (binary === null || btoa(binary) !== text) {
    throw new Refusal(
      'base64-not-canonical',
      `${where}: is not canonical base64, expected the standard alphabet, padding, and nothing else`,
    )
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0))
}

export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  // in pieces: a call takes only so many arguments
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  return btoa(binary)
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Of hexadecimal that was checked before. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
