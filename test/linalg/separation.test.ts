import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { moments, type Rows } from '../../src/linalg/moments.js'
import { heldOut, inGroup, inRest, otherGroups, separation } from '../../src/linalg/separation.js'
import { chiSquaredQuantile } from '../../src/stats/chi-squared.js'

const identity = (n: number) => Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0))

function normalRows(n: number, cols: number, options: { seed: number; group: number; shift: number }): { rows: Rows; side: Uint8Array } {
  const rng = new Rng(options.seed)
  const data = Float64Array.from(
    { length: n * cols },
    (_, at) => rng.normal() + (at < options.group * cols && at % cols === 0 ? options.shift : 0),
  )
  return { rows: { data, cols }, side: Uint8Array.from({ length: n }, (_, i) => (i < options.group ? inGroup : inRest)) }
}

function cross(rows: Rows, side: Uint8Array, seed: number) {
  const others = otherGroups([identity(rows.cols)], [1e6], rows.cols)
  const fitted = separation(moments(rows, side, inGroup), moments(rows, side, inRest), others)
  return { fitted, held: atOnce(heldOut(rows, side, fitted, { others, rng: new Rng(seed), repeats: 7 })).crossFitted }
}

describe('the separation of two groups', () => {
  it('is their distance in the largest standard deviation of all groups, the small one’s at its upper bound', () => {
    // One column: no direction to choose. Means 0 and 6; variances 1 (rest), 1 (group), 4 (another class).
    const rows = { data: Float64Array.of(-1, 1, -1, 1, 5, 7, 5, 7, 5), cols: 1 }
    const side = Uint8Array.of(0, 0, 0, 0, 1, 1, 1, 1, 1)
    const [group, rest] = [moments(rows, side, 1), moments(rows, side, 0)]
    const apart = (group.mean[0] as number) - (rest.mean[0] as number)
    const bound = Math.sqrt((group.scatter[0] as number) / chiSquaredQuantile(0.05, 4))
    expect(bound).toBeGreaterThan(1)
    expect(separation(group, rest, otherGroups([Float64Array.of(1)], [50], 1)).sigmas).toBeCloseTo(apart / bound, 10)
    expect(separation(group, rest, otherGroups([Float64Array.of(16)], [50], 1)).sigmas).toBeCloseTo(apart / 4, 10)
  })

  it('turns away from a direction in which another class is noisy', () => {
    const { rows, side } = normalRows(400, 2, { seed: 1, group: 100, shift: 0 })
    for (let i = 0; i < 100; i++) {
      rows.data[2 * i] = (rows.data[2 * i] as number) + 8
      rows.data[2 * i + 1] = (rows.data[2 * i + 1] as number) + 8
    }
    const noisy = otherGroups([Float64Array.of(25, 0, 0, 1)], [1e6], 2)
    const { direction, sigmas } = separation(moments(rows, side, 1), moments(rows, side, 0), noisy)
    expect(Math.abs(direction[1] as number)).toBeGreaterThan(10 * Math.abs(direction[0] as number))
    expect(sigmas).toBeGreaterThan(6)
  })

  it('keeps its size on rows held out where the groups differ, and loses it where they were only cut', () => {
    const real = normalRows(800, 20, { seed: 2, group: 80, shift: 8 })
    const planted = cross(real.rows, real.side, 1)
    expect(planted.held).toBeGreaterThan(6)
    expect(Math.abs(planted.held / planted.fitted.sigmas - 1)).toBeLessThan(0.15)
    const nothing = normalRows(800, 20, { seed: 3, group: 12, shift: 0 })
    const chance = cross(nothing.rows, nothing.side, 1)
    expect(chance.fitted.sigmas).toBeGreaterThan(0.8)
    expect(Math.abs(chance.held)).toBeLessThan(0.3)
  })

  it('does not depend on the order of the rows', () => {
    const { rows, side } = normalRows(200, 5, { seed: 4, group: 40, shift: 4 })
    const reversed = new Float64Array(rows.data.length)
    for (let i = 0; i < 200; i++) reversed.set(rows.data.subarray(i * 5, (i + 1) * 5), (199 - i) * 5)
    const turned = cross({ data: reversed, cols: 5 }, side.slice().reverse(), 9).held
    expect(turned).toBeCloseTo(cross(rows, side, 9).held, 8)
  })
})
