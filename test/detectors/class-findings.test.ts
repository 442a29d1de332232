import { expect, test } from 'vitest'
import type { DeviceSet } from '../../src/core/device-set.js'
import { Rng } from '../../src/core/rng.js'
import { positionsByScore } from '../../src/detectors/class-findings.js'

const setOf = (...starts: number[]) => ({ set: { starts: Uint32Array.from(starts) } }) as unknown as DeviceSet

test('positions come highest score first, ties by row', () => {
  const rng = new Rng(1)
  const special = [0, -0, 3e38, -3e38, 1e-45, -1e-45, 1, 1, -1, -1]
  const scores = Float32Array.from({ length: 300 }, (_, i) => special[i] ?? Math.round(8 * rng.normal()) / 8)
  const expected = Array.from({ length: 290 }, (_, i) => i).sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b)
  expect([...positionsByScore(setOf(0, 290, 300), 0, scores)]).toEqual(expected)
  expect([...positionsByScore(setOf(0, 298, 300), 1, scores)].sort()).toEqual([298, 299])
})
