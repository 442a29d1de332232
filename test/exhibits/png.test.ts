import { inflateSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { encodePng } from '../../src/exhibits/png.js'
import { imageMediaType } from '../../src/io/media-type.js'

test.each([
  [1, 0],
  [3, 2],
  [4, 6],
] as const)('encodePng writes %d channels as colour type %d, its lines unfiltered', async (channels, colourType) => {
  const data = Uint8Array.from({ length: 5 * 3 * channels }, (_, at) => (at * 37) % 256)
  const file = Buffer.from(await encodePng({ width: 5, height: 3, channels, data }))
  expect(imageMediaType(file)).toBe('image/png')
  const chunks = new Map<string, Buffer>()
  for (let at = 8; at < file.length; at += file.readUInt32BE(at) + 12) {
    chunks.set(file.toString('latin1', at + 4, at + 8), file.subarray(at + 8, at + 8 + file.readUInt32BE(at)))
  }
  expect([...chunks.keys()]).toEqual(['IHDR', 'IDAT', 'IEND'])
  expect([...(chunks.get('IHDR') ?? [])]).toEqual([0, 0, 0, 5, 0, 0, 0, 3, 8, colourType, 0, 0, 0])
  const lines = inflateSync(chunks.get('IDAT') ?? Buffer.of())
  const stride = 5 * channels
  for (let y = 0; y < 3; y++) {
    expect([...lines.subarray(y * (stride + 1), (y + 1) * (stride + 1))]).toEqual([0, ...data.subarray(y * stride, (y + 1) * stride)])
  }
})
