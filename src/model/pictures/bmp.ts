import { badPicture, checkSize, type Pixels, unsupportedPicture } from './pixels.js'

const usualMasks = [0xff0000, 0xff00, 0xff]

/**
 * Decodes an uncompressed BMP file (BITMAPCOREHEADER, BITMAPINFOHEADER and its followers) of 1, 4, 8, 24 or 32 bits a pixel to RGB; a fourth byte
 * is left aside. Throws `InputError` `bad-picture`, `unsupported-picture`, `too-large`.
 */
export function decodeBmp(bytes: Uint8Array, where: string): Pixels {
  if (bytes.length < 26) throw badPicture(where, 'it ends inside its header')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headerBytes = view.getUint32(14, true)
  const core = headerBytes === 12
  if ((!core && headerBytes < 40) || 14 + headerBytes > bytes.length) throw badPicture(where, `a header of ${headerBytes} bytes`)
  const width = core ? view.getUint16(18, true) : view.getInt32(18, true)
  const signedHeight = core ? view.getUint16(20, true) : view.getInt32(22, true)
  const height = Math.abs(signedHeight)
  checkSize({ width, height }, where)
  const bits = view.getUint16(core ? 24 : 28, true)
  const compression = core ? 0 : view.getUint32(30, true)
  const masksAt = 54
  const usual = compression === 3 && bits === 32 && usualMasks.every((mask, i) => hasWord(bytes, masksAt + 4 * i, mask))
  if (![1, 4, 8, 24, 32].includes(bits) || (compression !== 0 && !usual)) {
    throw unsupportedPicture(where, `a BMP file of ${bits} bits a pixel with compression ${compression}`, '24 bits without any')
  }
  const paletteStart = 14 + headerBytes
  const entryBytes = core ? 3 : 4
  const start = view.getUint32(10, true)
  const lineBytes = Math.ceil((width * bits) / 32) * 4
  if (start < paletteStart || start + lineBytes * height > bytes.length) throw badPicture(where, 'it has fewer pixels than it declares')
  const data = new Uint8Array(width * height * 3)
  for (let y = 0; y < height; y++) {
    const line = start + (signedHeight > 0 ? height - 1 - y : y) * lineBytes
    for (let x = 0; x < width; x++) {
      let from = line + (x * bits) / 8
      if (bits <= 8) {
        const bit = x * bits
        const index = ((bytes[line + (bit >> 3)] as number) >> (8 - bits - (bit & 7))) & (2 ** bits - 1)
        from = paletteStart + index * entryBytes
        if (from + 3 > start) throw badPicture(where, `colour ${index}, which its palette does not have`)
      }
      for (let channel = 0; channel < 3; channel++) data[(y * width + x) * 3 + channel] = bytes[from + 2 - channel] as number
    }
  }
  return { width, height, channels: 3, data }
}

function hasWord(bytes: Uint8Array, at: number, word: number): boolean {
  return at + 4 <= bytes.length && new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true) === word
}
