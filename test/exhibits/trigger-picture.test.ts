import { describe, expect, it } from 'vitest'
import type { RowImage } from '../../src/core/activation-set.js'
import { InputError } from '../../src/core/errors.js'
import { Rng } from '../../src/core/rng.js'
import { surestRegion } from '../../src/exhibits/look-alikes.js'
import { Pictures } from '../../src/exhibits/pictures.js'
import { triggerPicture } from '../../src/exhibits/trigger-picture.js'

interface Made {
  readonly channels?: 1 | 3 | 4
  readonly size?: number
  readonly paint?: (x: number, y: number, value: number) => number
}

/** `count` noisy pictures, the first `flagged` of them painted. */
function madePictures(count: number, flagged: number, { channels = 3, size = 32, paint = (_x, _y, value) => value }: Made): Pictures {
  const rng = new Rng(1)
  const images = Array.from({ length: count }, (_, row): RowImage => {
    const light = 40 + 100 * rng.float()
    const data = Uint8Array.from({ length: size * size * channels }, (_, at) => {
      const pixel = Math.floor(at / channels)
      const value = Math.round(light + 30 * rng.float())
      return row < flagged ? paint(pixel % size, Math.floor(pixel / size), value) : value
    })
    return { kind: 'pixels', width: size, height: size, channels, data }
  })
  return new Pictures({ count, rows: null, read: async (picture) => images[picture] as RowImage })
}

const rowsFrom = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i)
const planted = { flagged: rowsFrom(0, 20), candidates: [{ index: 4, rows: rowsFrom(20, 80) }] }
const patch = (x: number, y: number, value: number) => (x >= 25 && x < 29 && y >= 3 && y < 7 ? 255 : value)

describe('triggerPicture', () => {
  it.each([1, 3, 4] as const)('finds where a patch sits in pictures of %d channels', async (channels) => {
    const found = await triggerPicture(madePictures(80, 20, { channels, paint: patch }), planted)
    expect(found).toMatchObject({ pairs: 20, matchedClass: 4, width: 32, height: 32, region: { top: 3, bottom: 7, left: 25, right: 29 } })
    expect(found?.closeUp?.url).toMatch(/^data:image\/png;base64,/)
  })

  it('gives the place in large pictures, which are compared shrunk, in their own pixels', async () => {
    const paint = (x: number, y: number, value: number) => (x >= 100 && x < 140 && y >= 40 && y < 80 ? 255 : value)
    const region = (await triggerPicture(madePictures(80, 20, { size: 200, channels: 1, paint }), planted))?.region
    expect(region?.top).toBeGreaterThanOrEqual(36)
    expect(region?.bottom).toBeLessThanOrEqual(84)
    expect(region?.left).toBeGreaterThanOrEqual(96)
    expect(region?.right).toBeLessThanOrEqual(144)
  })

  it('names no place where a pattern lies over the whole picture', async () => {
    const paint = (x: number, _y: number, value: number) => Math.min(255, value + 40 * (x % 4 < 2 ? 1 : 0))
    expect((await triggerPicture(madePictures(80, 20, { paint }), planted))?.region).toBeNull()
  })

  it('falls back to the next class where the first has too few pictures, and to nothing without any', async () => {
    const pictures = madePictures(80, 20, { paint: patch })
    const few = { index: 9, rows: [70, 71] }
    expect((await triggerPicture(pictures, { ...planted, candidates: [few, ...planted.candidates] }))?.matchedClass).toBe(4)
    expect(await triggerPicture(pictures, { ...planted, candidates: [few] })).toBeNull()
    expect(await triggerPicture(pictures, { ...planted, flagged: [0, 1] })).toBeNull()
  })

  it('leaves out a damaged picture and counts it, and lets other faults through', async () => {
    const whole = madePictures(80, 20, { paint: patch })
    const read = (error: Error) => async (row: number) => {
      if (row === 3) throw error
      return (await whole.read(row)) as RowImage
    }
    const damaged = new Pictures({ count: 80, rows: null, read: read(new InputError('damaged', 'picture 3: is damaged')) })
    expect((await triggerPicture(damaged, planted))?.pairs).toBe(19)
    expect(damaged.damaged).toBe(1)
    const broken = new Pictures({ count: 80, rows: null, read: read(new Error('out of the blue')) })
    await expect(triggerPicture(broken, planted)).rejects.toThrow('out of the blue')
  })
})

describe('surestRegion', () => {
  it('is what hangs together around the surest pixel, over corners too', () => {
    const sure = new Float64Array(36)
    for (const at of [14, 21]) sure[at] = 9
    sure[35] = 5
    expect(surestRegion(sure, { width: 6, height: 6 })).toEqual({ top: 2, bottom: 4, left: 2, right: 4 })
  })

  it('is none where nothing differs, or most does', () => {
    expect(surestRegion(new Float64Array(9), { width: 3, height: 3 })).toBeNull()
    expect(surestRegion(new Float64Array(9).fill(2), { width: 3, height: 3 })).toBeNull()
  })
})
