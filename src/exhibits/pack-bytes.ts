/** `String.fromCharCode` takes so many arguments. */
const perCall = 2 ** 14

/** The bytes of an array as base64. */
export function packBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  let text = ''
  for (let at = 0; at < bytes.length; at += perCall) text += String.fromCharCode(...bytes.subarray(at, at + perCall))
  return btoa(text)
}
