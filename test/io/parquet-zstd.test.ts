import { constants, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { unzstd } from '../../src/io/parquet-zstd.js'

const rng = new Rng(4)
const texts = Uint8Array.from({ length: 300_000 }, (_, i) => (i % 7 === 0 ? rng.below(256) : (i * i) % 13))
const samples = {
  empty: new Uint8Array(0),
  'one byte': Uint8Array.of(9),
  'two bytes': Uint8Array.of(0, 0),
  zeros: new Uint8Array(200_000),
  ones: new Uint8Array(1000).fill(255),
  texts,
}
const unsized = { params: { [constants.ZSTD_c_contentSizeFlag]: 0, [constants.ZSTD_c_checksumFlag]: 1 } }

const lengthOf = (read: () => Uint8Array) => {
  try {
    return read().length
  } catch {
    return null
  }
}

describe('a page of Zstandard', () => {
  for (const [name, data] of Object.entries(samples)) {
    for (const [kind, options] of [
      ['that says its size', {}],
      ['that does not', unsized],
      ['at level 19', { params: { [constants.ZSTD_c_compressionLevel]: 19 } }],
    ] as const) {
      it(`${name}, in a frame ${kind}`, () => {
        const packed = new Uint8Array(zstdCompressSync(data, options))
        expect(unzstd(packed, data.length)).toEqual(data)
        for (const size of [data.length + 1, data.length - 1, 2 * data.length + 5].filter((size) => size >= 0 && size !== data.length)) {
          // the caller compares the lengths
          expect(
            lengthOf(() => unzstd(packed, size)),
            `${size} bytes`,
          ).not.toBe(size)
        }
        expect(() => unzstd(packed.subarray(0, -1), data.length)).toThrow()
      })
    }
  }

  it('may have frames around it that are to be skipped, but no second one', () => {
    const packed = zstdCompressSync(texts)
    const skip = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
    expect(unzstd(Uint8Array.from([...skip, ...packed, ...skip]), texts.length)).toEqual(texts)
    expect(() => unzstd(Uint8Array.from([...packed, ...packed]), 2 * texts.length)).toThrow(/second frame/)
    expect(() => unzstd(Uint8Array.from(skip), 0)).toThrow(/no frame/)
    expect(() => unzstd(Uint8Array.from([...packed, 1, 2]), texts.length)).toThrow()
  })

  it('takes no more memory than the page has, whatever window it asks for and whatever its blocks yield', () => {
    const before = process.memoryUsage().arrayBuffers
    // magic; no size, a window of 1.9 GB; four blocks that repeat a byte 2 MiB − 1 times; the last one
    const repeat = [0xfa, 0xff, 0xff, 7]
    const bomb = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0xa7, ...repeat, ...repeat, ...repeat, ...repeat, 0x0b, 0, 0, 7])
    expect(lengthOf(() => unzstd(bomb, 1000))).not.toBe(1000)
    const many = Uint8Array.from([
      0x28,
      0xb5,
      0x2f,
      0xfd,
      0,
      0xa7,
      ...Array.from({ length: 40_000 }, () => [0x0a, 0, 0, 7]).flat(),
      0x0b,
      0,
      0,
      7,
    ])
    expect(() => unzstd(many, 2 ** 24)).toThrow(/40001 blocks/)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 25)
  })
})
