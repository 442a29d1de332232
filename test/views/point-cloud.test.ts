import { describe, expect, it } from 'vitest'
import { toBase64 } from '../../src/core/bytes-as-text.js'
import { Rng } from '../../src/core/rng.js'
import { ticks } from '../../src/views/draw-axes.js'
import { isInside, nearestFinder, unpackPoints } from '../../src/views/point-cloud.js'

const rng = new Rng(8)
const count = 500
const cloud = unpackPoints({
  axes: 'principal',
  drawn: count,
  rows: count,
  x: [0, 1],
  y: [0, 1],
  packedX: toBase64(Uint16Array.from({ length: count }, () => rng.below(65536))),
  packedY: toBase64(Uint16Array.from({ length: count }, () => rng.below(65536))),
  packedRow: toBase64(Uint32Array.from({ length: count }, (_, i) => 4_000_000_000 + i)),
  packedClass: toBase64(Uint16Array.from({ length: count }, (_, i) => i)),
  packedKind: toBase64(Uint8Array.from({ length: count }, (_, i) => i % 4)),
  packedScore: toBase64(Uint8Array.of(0, 255)),
})

describe('a point cloud', () => {
  it('is unpacked as it was packed', () => {
    expect(cloud).toMatchObject({ count })
    expect([cloud.row[499], cloud.classIndex[499], cloud.kind[499]]).toEqual([4_000_000_499, 499, 3])
    expect([...(cloud.score ?? [])]).toEqual([0, 1])
    expect(Math.max(...cloud.x)).toBeLessThanOrEqual(1)
  })

  it('finds the nearest point within reach, as a search through all of them does', () => {
    const nearest = nearestFinder(cloud)
    for (let trial = 0; trial < 300; trial++) {
      const at = { x: 1.2 * rng.float() - 0.1, y: 1.2 * rng.float() - 0.1 }
      const [aspect, reach] = [0.5 + rng.float(), 0.1 * rng.float()]
      const distances = Array.from({ length: count }, (_, i) =>
        Math.hypot((cloud.x[i] as number) - at.x, ((cloud.y[i] as number) - at.y) * aspect),
      )
      const least = Math.min(...distances)
      expect(nearest(at, aspect, reach)).toBe(least < reach ? distances.indexOf(least) : null)
    }
  })

  it('tells what lies within a lasso, also one that is not convex', () => {
    const corners = [{ x: 0, y: 0 }, { x: 4, y: 0 }, { x: 4, y: 4 }, { x: 2, y: 1 }, { x: 0, y: 4 }] // biome-ignore format: a list
    expect(isInside(1, 1, corners)).toBe(true)
    expect(isInside(2, 3, corners)).toBe(false)
    expect(isInside(3.5, 2, corners)).toBe(true)
    expect(isInside(5, 1, corners)).toBe(false)
  })
})

it('ticks are round numbers within the ends', () => {
  expect(ticks([-3.8, 17], 5)).toEqual([0, 5, 10, 15])
  expect(ticks([0.31, 0.74], 4)).toEqual([0.4, 0.6000000000000001])
  expect(ticks([0, 0], 4)).toEqual([])
})
