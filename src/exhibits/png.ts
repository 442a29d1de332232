import { crc32 } from '../io/crc32.js'

/** Pixels, row by row from the top, `channels` bytes each: grey, RGB or RGBA. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly channels: 1 | 3 | 4
  readonly data: Uint8Array
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const colourTypes = { 1: 0, 3: 2, 4: 6 } as const

/** A PNG file (W3C PNG, 3rd ed.) of 8 bits a channel: one IDAT, no filter. */
export async function encodePng({ width, height, channels, data }: Pixels): Promise<Uint8Array> {
  const stride = width * channels
  const lines = new Uint8Array(height * (stride + 1))
  for (let y = 0; y < height; y++) lines.set(data.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1)
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header.set([8, colourTypes[channels]], 8)
  const chunks = [chunk('IHDR', header), chunk('IDAT', await zlib(lines)), chunk('IEND', new Uint8Array())]
  return Uint8Array.from([...signature, ...chunks.flatMap((bytes) => [...bytes])])
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 12)
  const view = new DataView(out.buffer)
  view.setUint32(0, data.length)
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i)
  out.set(data, 8)
  view.setUint32(data.length + 8, crc32(out.subarray(4, data.length + 8)))
  return out
}

async function zlib(bytes: Uint8Array): Promise<Uint8Array> {
  const compressed = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream('deflate'))
  return new Uint8Array(await new Response(compressed).arrayBuffer())
}
