/** `String.fromCharCode` takes so many arguments. */
const perCall = 2 ** 14

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The bytes of an array as standard base64 with its padding (RFC 4648 §4). */
export function toBase64({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  let binary = ''
  for (let at = 0; at < bytes.length; at += perCall) binary += String.fromCharCode(...bytes.subarray(at, at + perCall))
  return btoa(binary)
}

/** As `atob`: it forgives spaces, missing padding and stray bits at the end, and throws for other characters. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
