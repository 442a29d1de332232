import { badPicture, checkSize, unsupportedPicture } from './pixels.js'

/**
 * Checks the header of a WebP file (RFC 9649) before anything is decoded: one picture, whole, and of a bounded size. Throws `InputError`
 * `bad-picture`, `unsupported-picture`, `too-large`.
 */
export function checkWebp(bytes: Uint8Array, where: string): void {
  if (bytes.length < 30) throw badPicture(where, 'it ends inside its header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(4, true) + 8 > bytes.length) throw badPicture(where, 'it ends before its declared end')
  const kind = String.fromCharCode(...bytes.subarray(12, 16))
  if (kind === 'VP8X') {
    if ((bytes[20] as number) & 2) throw unsupportedPicture(where, 'an animation', 'one picture')
    const size = (at: number) => view.getUint16(at, true) + 65_536 * (bytes[at + 2] as number) + 1
    checkSize({ width: size(24), height: size(27) }, where)
  } else if (kind === 'VP8L') {
    const bits = view.getUint32(21, true)
    checkSize({ width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }, where)
  } else if (kind === 'VP8 ') {
    checkSize({ width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff }, where)
  } else throw badPicture(where, 'it has no picture')
}
