import { memorySource } from '../../io/byte-source.js'
import { concatBytes } from '../../io/concat-bytes.js'
import { crc32 } from '../../io/crc32.js'
import { inflateMember } from '../../io/inflate-member.js'
import { badPicture, checkSize, type Pixels, unsupportedPicture } from './pixels.js'

interface Header {
  readonly width: number
  readonly height: number
  readonly depth: number
  readonly colour: Colour
  readonly interlaced: boolean
}

/** PNG's colour types: samples a pixel has, and the bits that a sample may have. */
const colours = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
} as const
type Colour = keyof typeof colours

/** Adam7: where the pixels of each pass begin, and how far apart they are. */
const passes = [
  { x: 0, y: 0, dx: 8, dy: 8 },
  { x: 4, y: 0, dx: 8, dy: 8 },
  { x: 0, y: 4, dx: 4, dy: 8 },
  { x: 2, y: 0, dx: 4, dy: 4 },
  { x: 0, y: 2, dx: 2, dy: 4 },
  { x: 1, y: 0, dx: 2, dy: 2 },
  { x: 0, y: 1, dx: 1, dy: 2 },
]
const wholePass = [{ x: 0, y: 0, dx: 1, dy: 1 }]

/**
 * Decodes a PNG file (W3C PNG, 3rd ed.) to bytes: grey, RGB or RGBA. Palettes become RGB, grey of fewer bits is spread over 0 … 255, of
 * 16 bits the upper eight are taken, and the alpha of grey pictures and palettes, gamma and colour profiles are left aside, all of which
 * Pillow does; 16 bits of grey, which it does not keep apart from 8, are refused. No more is unpacked than the header declares.
 *
 * Throws `InputError` `bad-picture`, `unsupported-picture`, `too-large`.
 */
export async function decodePng(bytes: Uint8Array, where: string): Promise<Pixels> {
  const { header, palette, data } = readChunks(bytes, where)
  const { width, height, depth, colour, interlaced } = header
  const bitsPerPixel = colours[colour].samples * depth
  const parts = (interlaced ? passes : wholePass)
    .map((pass) => ({ pass, columns: Math.ceil((width - pass.x) / pass.dx), rows: Math.ceil((height - pass.y) / pass.dy) }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0)
    .map((part) => ({ ...part, lineBytes: Math.ceil((part.columns * bitsPerPixel) / 8) }))
  const byteLength = parts.reduce((sum, { rows, lineBytes }) => sum + rows * (lineBytes + 1), 0)
  const lines = await unpack(data, byteLength, where)
  const channels = colour === 3 || colour === 2 ? 3 : colour === 6 ? 4 : 1
  const out = { width, height, channels, data: new Uint8Array(width * height * channels) } as const
  let at = 0
  for (const { pass, columns, rows, lineBytes } of parts) {
    let above: Uint8Array = new Uint8Array(lineBytes)
    for (let row = 0; row < rows; row++) {
      const line = lines.subarray(at + 1, at + 1 + lineBytes)
      unfilter(lines[at] as number, line, above, Math.max(1, bitsPerPixel >> 3), where)
      const start = (pass.y + row * pass.dy) * width + pass.x
      putLine(line, out, { start, step: pass.dx, columns, depth, colour, palette })
      above = line
      at += lineBytes + 1
    }
  }
  return out
}

function readChunks(bytes: Uint8Array, where: string): { header: Header; palette: Uint8Array; data: Uint8Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const data: Uint8Array[] = []
  let header: Header | null = null
  let palette: Uint8Array = new Uint8Array()
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw badPicture(where, 'it ends before its end mark')
    const length = view.getUint32(at)
    if (length > bytes.length - at - 12) throw badPicture(where, `a part of ${length} bytes where ${bytes.length - at - 12} are left`)
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    const body = bytes.subarray(at + 8, at + 8 + length)
    const critical = type === 'IHDR' || type === 'PLTE' || type === 'IDAT'
    if (critical && crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw badPicture(where, `its ${type} has another CRC-32 than it declares`)
    }
    if ((type === 'IHDR') !== (header === null)) throw badPicture(where, 'its header is not at its beginning')
    if (type === 'IHDR') header = readHeader(body, where)
    if (type === 'PLTE') palette = body
    if (type === 'IDAT') data.push(body)
    if (type === 'IEND' || (type !== 'IDAT' && data.length > 0)) break
    at += length + 12
  }
  if (!header || data.length === 0) throw badPicture(where, 'it has no pixels')
  if (header.colour === 3 && (palette.length === 0 || palette.length % 3 !== 0)) throw badPicture(where, 'it has no palette')
  return { header, palette, data: concatBytes(data) }
}

function readHeader(body: Uint8Array, where: string): Header {
  if (body.length !== 13) throw badPicture(where, `a header of ${body.length} bytes`)
  const view = new DataView(body.buffer, body.byteOffset, 13)
  const [width, height] = [view.getUint32(0), view.getUint32(4)]
  const [depth, colour, compression, filter, interlace] = body.subarray(8) as unknown as [number, number, number, number, number]
  checkSize({ width, height }, where)
  const depths: readonly number[] | undefined = colours[colour as Colour]?.depths
  if (!depths?.includes(depth) || compression !== 0 || filter !== 0 || interlace > 1) {
    throw badPicture(where, `colour type ${colour} of ${depth} bits, compression ${compression}, filter ${filter}, interlace ${interlace}`)
  }
  if (colour === 0 && depth === 16) throw unsupportedPicture(where, 'a grey picture of 16 bits', '8 bits')
  return { width, height, depth, colour: colour as Colour, interlaced: interlace === 1 }
}

/** Unpacks a zlib stream (RFC 1950) to just so many bytes. */
async function unpack(data: Uint8Array, byteLength: number, where: string): Promise<Uint8Array> {
  const [method = 0, flags = 0] = data
  if ((method & 15) !== 8 || ((method << 8) | flags) % 31 !== 0 || flags & 32) throw badPicture(where, 'its pixels are no zlib stream')
  const stream = { start: 2, end: Math.max(2, data.length - 4), byteLength, code: 'bad-picture' } as const
  return inflateMember(memorySource(where, data), stream, where)
}

/** Undoes the filter of a line in place (PNG §9); `back` is how far the pixel to the left lies. */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, back: number, where: string): void {
  const at = (bytes: Uint8Array, i: number) => (i < 0 ? 0 : (bytes[i] as number))
  const add = (guess: (i: number) => number) => {
    for (let i = 0; i < line.length; i++) line[i] = (line[i] as number) + guess(i)
  }
  if (filter === 1) add((i) => at(line, i - back))
  else if (filter === 2) add((i) => at(above, i))
  else if (filter === 3) add((i) => (at(line, i - back) + at(above, i)) >> 1)
  else if (filter === 4) add((i) => paeth(at(line, i - back), at(above, i), at(above, i - back)))
  else if (filter !== 0) throw badPicture(where, `a line of filter ${filter}`)
}

function paeth(left: number, up: number, corner: number): number {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

interface Line {
  /** The first pixel of the picture that it has, and how far the next one is. */
  readonly start: number
  readonly step: number
  readonly columns: number
  readonly depth: number
  readonly colour: Colour
  readonly palette: Uint8Array
}

function putLine(line: Uint8Array, { channels, data }: Pixels, { start, step, columns, depth, colour, palette }: Line): void {
  const { samples } = colours[colour]
  if (depth === 8 && step === 1 && samples === channels && colour !== 3) {
    data.set(line, start * channels)
    return
  }
  const spread = colour === 0 ? 255 / (2 ** Math.min(depth, 8) - 1) : 1
  const sample = (index: number) => {
    if (depth >= 8) return line[index * (depth >> 3)] as number
    const bit = index * depth
    return ((line[bit >> 3] as number) >> (8 - depth - (bit & 7))) & (2 ** depth - 1)
  }
  for (let x = 0; x < columns; x++) {
    const to = (start + x * step) * channels
    for (let channel = 0; channel < channels; channel++) {
      data[to + channel] = colour === 3 ? (palette[sample(x) * 3 + channel] ?? 0) : sample(x * samples + channel) * spread
    }
  }
}
