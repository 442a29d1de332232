import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Filter, resize } from '../../../src/model/pictures/resize.js'

interface Golden {
  readonly filter: Filter
  readonly channels: 1 | 3
  readonly from: readonly [number, number]
  readonly to: readonly [number, number]
  readonly pixels: string
  readonly expected: string
}

const goldens = JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/pictures/resized.json'), 'utf8')) as Golden[]

test.each(goldens)(
  '$filter of $channels channels, $from to $to: the bytes are those of Pillow',
  ({ filter, channels, from, to, pixels, expected }) => {
    const picture = { width: from[0], height: from[1], channels, data: new Uint8Array(Buffer.from(pixels, 'base64')) }
    const made = resize(picture, { width: to[0], height: to[1] }, filter)
    expect([made.width, made.height, made.channels]).toEqual([...to, channels])
    expect(Buffer.from(made.data).toString('base64')).toBe(expected)
  },
)

test.each(['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const)('%s keeps an even picture even', (filter) => {
  const picture = { width: 7, height: 5, channels: 1, data: new Uint8Array(35).fill(201) } as const
  expect([...new Set(resize(picture, { width: 3, height: 11 }, filter).data)]).toEqual([201])
})
