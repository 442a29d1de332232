import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { crc32 } from '../../../src/io/crc32.js'
import { toChannels } from '../../../src/model/pictures/channels.js'
import { pictureDecoder } from '../../../src/model/pictures/decode.js'
import { decodePicture } from '../../../src/model/pictures/node-codecs.js'

interface Golden {
  readonly name: string
  readonly file: string
  readonly width: number
  readonly height: number
  readonly rgb: string
  readonly grey: string
}

const goldens = JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/pictures/pictures.json'), 'utf8')) as Golden[]
const bytesOf = (text: string) => new Uint8Array(Buffer.from(text, 'base64'))
const fileOf = (name: string) => bytesOf((goldens.find((golden) => golden.name === name) as Golden).file)

test.each(goldens)('$name has the pixels that Pillow finds in it, in colour and in grey', async ({ file, width, height, rgb, grey }) => {
  const picture = await decodePicture(bytesOf(file), 'p')
  expect([picture.width, picture.height]).toEqual([width, height])
  expect(Buffer.from(toChannels(picture, 3).data).toString('base64')).toBe(rgb)
  expect(Buffer.from(toChannels(picture, 1).data).toString('base64')).toBe(grey)
})

describe('a damaged file', () => {
  test.each(goldens.map(({ name }) => name))(
    '%s: cut off anywhere it is refused by name, or has lost nothing that is needed',
    async (name) => {
      const file = fileOf(name)
      const whole = await decodePicture(file, 'p')
      const ends = Array.from({ length: 24 }, (_, i) => Math.floor((file.length * i) / 24))
      for (const end of ends) {
        const decoded = await decodePicture(file.slice(0, end), 'cut.png').catch((error) => error)
        if (decoded instanceof Error) expect(decoded).toMatchObject({ name: 'InputError', message: expect.stringMatching(/^cut\.png: /) })
        else expect(decoded).toEqual(whole)
      }
    },
  )

  test('the codec decodes the next file after one that it failed on', async () => {
    const broken = fileOf('jpeg-420').slice()
    broken[2 + 4] = 0 // a JFIF header of nothing: the tables that follow are lost
    const tables = broken.indexOf(0xc4, 20)
    broken.fill(0, tables + 4, tables + 24)
    await expect(decodePicture(broken, 'p')).rejects.toMatchObject({ code: 'bad-picture' })
    expect((await decodePicture(fileOf('jpeg-420'), 'p')).width).toBe(37)
  })
})

describe('a hostile file is refused before it is decoded', () => {
  const png = (header: readonly number[], packed: Uint8Array) => {
    const chunk = (type: string, body: Uint8Array) => {
      const out = Buffer.alloc(body.length + 12)
      out.writeUInt32BE(body.length)
      out.write(type, 4, 'latin1')
      out.set(body, 8)
      out.writeUInt32BE(crc32(out.subarray(4, body.length + 8)), body.length + 8)
      return out
    }
    const size = Buffer.alloc(8)
    size.writeUInt32BE(header[0] as number)
    size.writeUInt32BE(header[1] as number, 4)
    const parts = [
      chunk('IHDR', Buffer.concat([size, Buffer.from(header.slice(2))])),
      chunk('IDAT', packed),
      chunk('IEND', Buffer.alloc(0)),
    ]
    return new Uint8Array(Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), ...parts]))
  }
  const withWord = (name: string, at: number, value: number) => {
    const file = fileOf(name).slice()
    file.set([value >> 8, value & 255], at)
    return file
  }
  const frame = (name: string) => {
    const file = fileOf(name)
    return file.findIndex((byte, at) => byte === 0xff && (file[at + 1] === 0xc0 || file[at + 1] === 0xc2))
  }
  const scan = (file: Uint8Array) =>
    file.subarray(
      file.findIndex((byte, at) => byte === 0xff && file[at + 1] === 0xda),
      file.length - 2,
    )
  const manyScans = () => {
    const file = Buffer.from(fileOf('jpeg-grey'))
    const [one, body] = [scan(file), file.subarray(0, -2)]
    return new Uint8Array(Buffer.concat([body, ...Array.from({ length: 501 }, () => one), Buffer.from([0xff, 0xd9])]))
  }
  const webp = () => {
    const file = fileOf('webp-alpha').slice()
    const kind = String.fromCharCode(...file.subarray(12, 16))
    if (kind !== 'VP8L') throw new Error(kind)
    file.set([0xff, 0xff, 0xff, 0x0f], 21)
    return file
  }
  test.each([
    ['a PNG of 2³¹ pixels', png([65_536, 32_768, 8, 2, 0, 0, 0], deflateSync(Buffer.alloc(10))), 'too-large'],
    ['a PNG that unpacks to more than it declares', png([2, 2, 8, 0, 0, 0, 0], deflateSync(Buffer.alloc(5_000_000))), 'bad-picture'],
    ['a PNG that unpacks to less than it declares', png([2, 2, 8, 0, 0, 0, 0], deflateSync(Buffer.alloc(5))), 'bad-picture'],
    ['a PNG without pixels', png([0, 2, 8, 0, 0, 0, 0], deflateSync(Buffer.alloc(5))), 'bad-picture'],
    ['a grey PNG of 16 bits', png([1, 1, 16, 0, 0, 0, 0], deflateSync(Buffer.alloc(3))), 'unsupported-picture'],
    ['a JPEG of 65,535 × 65,535', withWord('jpeg-grey', frame('jpeg-grey') + 5, 0xffff).with(frame('jpeg-grey') + 7, 0xff), 'too-large'],
    ['a JPEG of four components', fileOf('jpeg-420').with(frame('jpeg-420') + 9, 4), 'unsupported-picture'],
    ['a JPEG of 12 bits', fileOf('jpeg-420').with(frame('jpeg-420') + 4, 12), 'unsupported-picture'],
    ['a JPEG of 502 scans', manyScans(), 'bad-picture'],
    ['a WebP of 16,384 × 16,384', webp(), 'too-large'],
    ['a BMP of 2³⁰ pixels', withWord('bmp-24', 19, 0x8000).with(23, 0x80), 'too-large'],
    ['a GIF', new TextEncoder().encode('GIF89a…'), 'unsupported-picture'],
    ['no picture', new TextEncoder().encode('hello'), 'unsupported-picture'],
    ['nothing', new Uint8Array(), 'unsupported-picture'],
  ])('%s', async (_, file, code) => {
    await expect(decodePicture(file, 'x/y.png')).rejects.toMatchObject({ code, message: expect.stringMatching(/^x\/y\.png: /) })
  })
})

test('a codec that is not installed is named', async () => {
  const decode = pictureDecoder(async () => {
    throw new Error('Cannot find package')
  })
  await expect(decode(fileOf('jpeg-420'), 'p')).rejects.toMatchObject({
    code: 'no-codec',
    message: expect.stringContaining('npm install @jsquash/jpeg'),
  })
  await expect(decode(fileOf('webp-lossy'), 'p')).rejects.toMatchObject({
    code: 'no-codec',
    message: expect.stringContaining('npm install @jsquash/webp'),
  })
  expect((await decode(fileOf('png-rgb-8'), 'p')).channels).toBe(3)
})
