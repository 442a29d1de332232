import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { moments, type Rows } from '../../src/linalg/moments.js'
import { heldOut, inGroup, inRest, otherGroups, separation, setAside } from '../../src/linalg/separation.js'
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
  return { fitted, held: atOnce(heldOut(rows, side, fitted, { others, rng: new Rng(seed) })).crossFitted }
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

describe('places of rows held out', () => {
  // Five folds, three times.
  const [repeats, folds] = [3, 5]
  const [n, cols, inAll] = [400, 6, 80]
  const { rows, side } = normalRows(n, cols, { seed: 5, group: inAll, shift: 8 })
  const others = otherGroups([identity(cols)], [1e6], cols)

  function placesOf(division: Uint8Array, trusted: Rows | null = null) {
    const fitted = separation(moments(rows, division, inGroup), moments(rows, division, inRest), others)
    return atOnce(heldOut(rows, division, fitted, { others, rng: new Rng(1), trusted }))
  }
  const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length
  const where = (places: Float64Array, value: number) => places.filter((_, at) => side[at % n] === value)

  it('are 0 for the mean of the rest and 1 for that of the group, each row once for every division', () => {
    const { places, trustedPlaces } = placesOf(side)
    expect(places).toHaveLength(repeats * n)
    expect(places.every(Number.isFinite)).toBe(true)
    expect(trustedPlaces).toHaveLength(0)
    expect(mean(where(places, inRest))).toBeCloseTo(0, 2)
    expect(mean(where(places, inGroup))).toBeCloseTo(1, 1)
    // The same row lies elsewhere in another division: the direction comes from other rows.
    expect(places[0]).not.toBe(places[n])
  })

  it('follow the distance: a row of the rest that is moved half the way lies in the middle', () => {
    const moved = { data: rows.data.slice(), cols }
    const row = n - 1
    moved.data[row * cols] = (moved.data[row * cols] as number) + 4
    const fitted = separation(moments(rows, side, inGroup), moments(rows, side, inRest), others)
    const placed = (of: Rows) =>
      mean(atOnce(heldOut(of, side, fitted, { others, rng: new Rng(1) })).places.filter((_, at) => at % n === row))
    expect(placed(moved) - placed(rows)).toBeCloseTo(0.5, 1)
  })

  it('come from all rows but a tenth where the group is small, so that ten rows among many keep most of their distance', () => {
    const few = normalRows(1000, 30, { seed: 8, group: 10, shift: 9 })
    const ten = otherGroups([identity(30)], [1e6], 30)
    const fitted = separation(moments(few.rows, few.side, inGroup), moments(few.rows, few.side, inRest), ten)
    const { places, fits } = atOnce(heldOut(few.rows, few.side, fitted, { others: ten, rng: new Rng(2) }))
    expect([fits, places.length]).toEqual([20, 2000])
    // Nine rows leave 30 / 9 of noise in the squared distance of 81, five would leave twice as much.
    const ofGroup = mean(places.filter((_, at) => few.side[at % 1000] === inGroup))
    expect(ofGroup).toBeGreaterThan(0.9)
    expect(ofGroup).toBeLessThan(1.05)
  })

  it('are NaN for rows set aside, and only for those', () => {
    const aside = side.map((value, i) => (i % 10 === 3 ? setAside : value))
    const { places } = placesOf(aside)
    expect([...places].map(Number.isNaN)).toEqual(Array.from(places, (_, at) => (at % n) % 10 === 3))
  })

  it('of a trusted row are as many as directions were fitted', () => {
    const trusted = { data: Float64Array.from({ length: 3 * cols }, (_, at) => (at === cols ? 8 : at === 2 * cols ? 4 : 0)), cols }
    const { trustedPlaces, fits } = placesOf(side, trusted)
    expect(fits).toBe(repeats * folds)
    expect(trustedPlaces).toHaveLength(fits * 3)
    for (const [row, place] of [0, 1, 0.5].entries()) {
      const own = trustedPlaces.filter((_, at) => at % 3 === row)
      expect(mean(own)).toBeCloseTo(place, 1)
      expect(new Set(own).size).toBe(fits)
    }
  })

  it('lie together on average where the groups do not differ: on rows that were fitted their means would lie 1 apart', () => {
    const means = Array.from({ length: 30 }, (_, seed) => {
      const noise = normalRows(n, cols, { seed: 100 + seed, group: inAll, shift: 0 })
      const fitted = separation(moments(noise.rows, noise.side, inGroup), moments(noise.rows, noise.side, inRest), others)
      const { places } = atOnce(heldOut(noise.rows, noise.side, fitted, { others, rng: new Rng(1) }))
      return mean(where(places, inGroup))
    })
    expect(Math.abs(mean(means))).toBeLessThan(0.3)
  })
})
