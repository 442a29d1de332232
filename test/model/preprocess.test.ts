import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decodePicture } from '../../src/model/pictures/node-codecs.js'
import type { Pixels } from '../../src/model/pictures/pixels.js'
import { defaultPreprocessing, type Preprocessing, pictureInput, preparePicture, rangeOf } from '../../src/model/preprocess.js'
import { parsePreprocessing } from '../../src/model/preprocessor-config.js'

const inputOf = (picture: Pixels, shape: readonly number[], preprocessing: Preprocessing, where: string) =>
  pictureInput(preparePicture(picture, shape, preprocessing, where), shape, preprocessing, where)

interface Golden {
  readonly name: string
  readonly config: object
  readonly size: readonly [number, number]
  readonly file: string
  readonly expected: readonly number[]
}

const goldens = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/pictures/prepared.json'), 'utf8')) as Golden[]

test.each(goldens)('$name: a picture is prepared as an image processor of transformers does', async ({ config, size, file, expected }) => {
  const pixels = await decodePicture(new Uint8Array(Buffer.from(file, 'base64')), 'p')
  const made = inputOf(pixels, [3, ...size], parsePreprocessing(config, 'c'), 'p')
  expect(made.length).toBe(expected.length)
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - (made[i] as number))))
  expect(worst).toBeLessThan(2e-6)
})

describe('fields of a preprocessor_config.json', () => {
  const parse = (config: object) => parsePreprocessing(config, 'c')
  test.each([
    ['a size of height and width', { size: { height: 4, width: 5 } }, { resize: { height: 4, width: 5, filter: 'bilinear' }, crop: null }],
    ['a shorter edge', { size: { shortest_edge: 6 }, resample: 0 }, { resize: { shortestEdge: 6, filter: 'nearest' } }],
    [
      'one number is a square to ViT',
      { image_processor_type: 'ViTImageProcessor', size: 7 },
      { resize: { height: 7, width: 7, filter: 'bilinear' } },
    ],
    [
      'one number is the shorter edge to CLIP',
      { feature_extractor_type: 'CLIPFeatureExtractor', size: 7, crop_size: 6 },
      { resize: { shortestEdge: 7, filter: 'bicubic' }, crop: { height: 6, width: 6 } },
    ],
    [
      'ConvNext below 384 pixels',
      { image_processor_type: 'ConvNextImageProcessor', size: { shortest_edge: 224 }, crop_pct: 0.875 },
      { resize: { shortestEdge: 256, filter: 'bilinear' }, crop: { height: 224, width: 224 } },
    ],
    [
      'ConvNext from 384 pixels',
      { image_processor_type: 'ConvNextImageProcessor', size: { shortest_edge: 384 }, resample: 3 },
      { resize: { height: 384, width: 384, filter: 'bicubic' }, crop: null },
    ],
    [
      'steps that are switched off',
      { do_resize: false, size: 9, do_center_crop: false, crop_size: 4, do_rescale: false, do_normalize: false, image_mean: [3] },
      { resize: null, crop: null, scale: 1, mean: [0], std: [1] },
    ],
    ['do_convert_rgb', { do_convert_rgb: true }, { convert: 'rgb' }],
    ['do_convert_rgb: false', { do_convert_rgb: false }, { convert: 'none' }],
    ['scale, mean and std alone', { scale: 2, mean: 1, std: [4] }, { ...defaultPreprocessing, scale: 2, mean: [1], std: [4] }],
  ])('%s', (_, config, expected) => {
    expect(parse(config)).toMatchObject(expected)
  })

  test.each([
    ['a step that is not done here', { do_pad: true, size: { height: 2, width: 2 } }, /do_pad/],
    ['a size that could be two things', { size: 224 }, /shortest_edge/],
    ['a longest edge', { size: { shortest_edge: 2, longest_edge: 4 } }, /longest_edge/],
    ['a size of nothing', { size: { height: 0, width: 4 } }, /size\.height is 0/],
    ['a size beyond reason', { size: { height: 1e9, width: 4 } }, /16384/],
    ['an unknown filter', { size: { height: 2, width: 2 }, resample: 9 }, /resample is 9.*nearest/],
    ['sizes of a kind of their own', { image_processor_type: 'LevitImageProcessor', size: { shortest_edge: 224 } }, /Levit/],
    ['crop_pct of another processor', { size: { shortest_edge: 4 }, crop_pct: 0.9 }, /crop_pct/],
    ['do_resize without a size', { do_resize: true }, /size/],
    ['both spellings', { scale: 1, image_mean: [0] }, /'scale'/],
    ['a deviation of 0', { image_std: [0] }, /image_std/],
    ['a list', [1], /object/],
  ])('%s is refused', (_, config, message) => {
    expect(() => parse(config)).toThrowError(
      expect.objectContaining({ code: 'bad-preprocessing', message: expect.stringMatching(message) }),
    )
  })
})

const colour: Pixels = { width: 2, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0, 0, 0, 255) }
const grey: Pixels = { width: 2, height: 1, channels: 1, data: Uint8Array.of(10, 20) }
const bytes = { ...defaultPreprocessing, scale: 1 }

test('channels become what the model takes: luma for one, three times grey for three', () => {
  expect([...inputOf(colour, [1, 1, 2], bytes, 'p')]).toEqual([76, 29])
  expect([...inputOf(grey, [3, 1, 2], bytes, 'p')]).toEqual([10, 20, 10, 20, 10, 20])
  const square: Pixels = { width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4) }
  expect([...inputOf(square, [2, 2, 3], bytes, 'p')]).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]) // channels last
  expect(() => inputOf(grey, [3, 1, 2], { ...bytes, convert: 'none' }, 'p')).toThrow(/1×1×2/)
})

test('a picture of another size is refused with what to do', () => {
  expect(() => inputOf(grey, [1, 4, 4], bytes, 'a.png')).toThrow(/^a\.png: .*1×1×2.*expected 1×4×4.*--preprocess/)
})

test('a picture is not blown up beyond bounds', () => {
  const line: Pixels = { width: 10_000, height: 1, channels: 1, data: new Uint8Array(10_000) }
  const preprocessing = { ...bytes, resize: { shortestEdge: 16_000, filter: 'bilinear' } } as const
  expect(() => inputOf(line, [1, 8, 8], preprocessing, 'a.png')).toThrowError(expect.objectContaining({ code: 'too-large' }))
})

test('the range of pixels is what black and white become', () => {
  expect(rangeOf({ ...defaultPreprocessing, mean: [0.5], std: [0.25] })).toEqual({ low: [-2], high: [2] })
})
