import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { atOnce } from '../../src/core/turns.js'
import { type OtherClass, shapeSource, splitEvidence, valleyMiddle } from '../../src/detectors/split-evidence.js'
import { choleskyOf } from '../../src/linalg/cholesky.js'
import type { ClassSplit } from '../../src/linalg/class-split.js'
import { typicalDistance } from '../../src/linalg/distinct-rows.js'
import { dot, moments, type Rows } from '../../src/linalg/moments.js'
import { inGroup, inRest } from '../../src/linalg/separation.js'
import { randomCovariance } from '../support/random-covariance.js'

/** Five rows in the plane: three of the rest about (1, 0), two of the group about (3, 0); 1 apart along (½, 0). */
const rows: Rows = { data: Float64Array.of(0, 1, 1, -2, 2, 1, 3, 1, 3, -1), cols: 2 }
const side = Uint8Array.of(inRest, inRest, inRest, inGroup, inGroup)

function divided(of: Rows, own: Uint8Array): Omit<ClassSplit, 'held'> {
  const [group, rest] = [moments(of, own, inGroup), moments(of, own, inRest)]
  const direction = Float64Array.from({ length: of.cols }, (_, j) => (j === 0 ? 0.5 : 0))
  return { side: own, separation: { direction, weights: new Float64Array(2), sigmas: 9, sd: 1 / 9, group, rest } }
}

function handMade(held: { places: number[]; trustedPlaces?: number[] }): ClassSplit {
  return {
    ...divided(rows, side),
    held: {
      crossFitted: 4.5,
      places: Float64Array.from(held.places),
      trustedPlaces: Float64Array.from(held.trustedPlaces ?? []),
      fits: 4,
    },
  }
}

const otherClass = (classIndex: number, mean: number[], covariance: ArrayLike<number>): OtherClass => ({
  classIndex,
  rows: 100,
  mean: Float64Array.from(mean),
  covariance: Float64Array.from(covariance),
  shrunk: Float64Array.from(covariance),
})

const evidenceOf = (held: Parameters<typeof handMade>[0], others: OtherClass[] = [], fits: Uint8Array | null = null) =>
  atOnce(splitEvidence(rows, handMade(held), { others, fits, typical: typicalDistance(rows) }))

describe('the evidence of a split', () => {
  it('counts places by hand, means over two divisions', () => {
    const first = [-0.1, 0.2, 0.26, 0.9, 1.2]
    const second = [0, 0.1, 0.4, 0.6, 0.7]
    expect(evidenceOf({ places: [...first, ...second] })).toMatchObject({
      rows: 5,
      groupRows: 2,
      separation: 4.5,
      share: 4 / 10, // 0.9, 1.2; 0.6, 0.7
      shareOfMost: 6 / 10, // and 0.26, 0.4
      shareOfLeast: 2 / 10,
      between: 1, // 0.4, 0.6: from a third to two thirds, and a bit
      beyond: 1.5, // 0.9, 1.2, 0.7
      trustedRows: 0,
      trustedBeyond: 0,
    })
  })

  it('counts a place on a border as past it, and none that is missing', () => {
    const { between, beyond, share, shareOfMost, shareOfLeast } = evidenceOf({ places: [1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4] })
    expect({ between, beyond, share, shareOfMost, shareOfLeast }).toEqual({
      between: 2,
      beyond: 2,
      share: 3 / 5,
      shareOfMost: 1,
      shareOfLeast: 1 / 5,
    })
    expect(evidenceOf({ places: [Number.NaN, Number.NaN, 0, 0, 1] })).toMatchObject({
      share: 1 / 5,
      between: 0,
      beyond: 1,
      shareOfMost: 1 / 5,
    })
  })

  it('counts trusted rows beyond the middle over every direction that was fitted', () => {
    // Three rows, placed four times.
    const trustedPlaces = [0, 0.5, 1, 0, 0.4, 1, 0, 0.6, 1, 0, 0.2, 0.4]
    const places = Array(10).fill(0)
    expect(evidenceOf({ places, trustedPlaces })).toMatchObject({ trustedRows: 3, trustedBeyond: 5 / 4 })
  })

  it('looks for the valley halfway between even groups, and nearer to a small one, the more so the closer they lie', () => {
    expect(valleyMiddle(0.5, 3)).toBe(1 / 2)
    // Two normal densities of standard deviation 1/6 about 0 and 1, weighed 0.99 and 0.01, are equal there.
    const at = valleyMiddle(0.01, 6)
    const density = (x: number, mean: number, weight: number) => weight * Math.exp(-((x - mean) ** 2) * 18)
    expect(density(at, 0, 0.99)).toBeCloseTo(density(at, 1, 0.01), 12)
    expect(valleyMiddle(0.01, 9)).toBeLessThan(at)
    expect(valleyMiddle(0.99, 6)).toBeCloseTo(1 - at, 12)
    expect([valleyMiddle(0.001, 2), valleyMiddle(0.999, 2), valleyMiddle(0, 0)]).toEqual([2 / 3, 1 / 3, 2 / 3])
  })

  it('counts the rows that the model predicts to be of another class, in either part', () => {
    const places = [0, 0, 0, 1, 1]
    expect(evidenceOf({ places }).misfits).toBeNull()
    expect(evidenceOf({ places }, [], Uint8Array.of(1, 0, 1, 1, 0)).misfits).toEqual({ group: 1 / 2, rest: 1 / 3 })
  })

  it('compares the variance of the two across the direction only', () => {
    // Along the second column: group 1, −1 has 2 / 1; rest 1, −2, 1 has 6 / 2.
    expect(evidenceOf({ places: [0, 0, 0, 1, 1] }).varianceRatio).toBeCloseTo(2 / 3, 12)
  })

  it('counts rows of the group that are near-duplicates once', () => {
    const [twice, split] = [{ data: rows.data.slice(), cols: 2 }, handMade({ places: [0, 0, 0, 1, 1] })]
    expect(atOnce(splitEvidence(rows, split, { others: [], fits: null, typical: typicalDistance(rows) })).distinct).toBeCloseTo(2, 12)
    twice.data[9] = 0.99
    expect(atOnce(splitEvidence(twice, split, { others: [], fits: null, typical: typicalDistance(rows) })).distinct).toBeCloseTo(1, 12)
  })

  it('takes the share of another class beyond the middle from its mean and its spread along the direction', () => {
    // The middle is at 2 in the first column. At 2: half. At 4, with standard deviation 2: Φ(1).
    const others = [otherClass(1, [2, 50], [9, 0, 0, 1]), otherClass(2, [4, -3], [4, 0, 0, 1]), otherClass(4, [-90, 0], [1, 0, 0, 1])]
    const { others: count, largestOther, meanOther } = evidenceOf({ places: [0, 0, 0, 1, 1] }, others)
    expect(count).toBe(3)
    expect(largestOther).toBeCloseTo(0.8413447460685429, 12)
    expect(meanOther).toBeCloseTo((0.5 + 0.8413447460685429) / 3, 12)
    expect(evidenceOf({ places: [0, 0, 0, 1, 1] })).toMatchObject({ others: 0, largestOther: 0, meanOther: 0 })
  })
})

describe('the source of a group', () => {
  const cols = 6
  const rng = new Rng(1)
  const covariances = Array.from({ length: 4 }, () => randomCovariance(cols, rng))
  const others = covariances.map((covariance, c) =>
    otherClass(
      10 + c,
      Array.from({ length: cols }, (_, j) => (j === c ? 10 : 0)),
      covariance,
    ),
  )

  /** 150 rows of the last covariance about zero, and 60 of covariance `c`, much smaller, about `centre`. */
  function fromClass(c: number, centre: number[]) {
    const roots = [choleskyOf(covariances[3] as Float64Array, cols), choleskyOf(covariances[c] as Float64Array, cols)]
    const of = { data: new Float64Array(210 * cols), cols }
    const own = Uint8Array.from({ length: 210 }, (_, i) => (i < 150 ? inRest : inGroup))
    for (const [i, value] of own.entries()) {
      const root = roots[value === inRest ? 0 : 1] as Float64Array
      const z = Float64Array.from({ length: cols }, () => rng.normal())
      for (let j = 0; j < cols; j++) {
        const x = dot(root.subarray(j * cols, (j + 1) * cols), z)
        of.data[i * cols + j] = value === inRest ? x : 0.02 * x + (centre[j] as number)
      }
    }
    return { of, split: divided(of, own) }
  }

  it('is the class whose covariance made it, whatever its size and place, with the share of its rows that lie nearest there', () => {
    for (const c of [0, 1, 2]) {
      const { of, split } = fromClass(c, [2, 9, 1, 0, 0, 0])
      const source = atOnce(shapeSource(of, split, others))
      expect(source).toMatchObject({ classIndex: 10 + c, vote: c === 1 ? 1 : 0 })
      expect(source?.aboveNext).toBeGreaterThan(0.1)
      expect(source?.aboveOwn).toBeGreaterThan(0.1)
      expect(atOnce(shapeSource(of, split, others.toReversed()))).toMatchObject({ classIndex: 10 + c })
    }
  })

  it('is the only one, infinitely far above the next, where there is one; and no better than its own shape where it has that', () => {
    const { of, split } = fromClass(3, [0, 0, 0, 0, 0, 0])
    const source = atOnce(shapeSource(of, split, others.slice(0, 1)))
    expect(source).toMatchObject({ classIndex: 10, aboveNext: Number.POSITIVE_INFINITY, vote: 1 })
    expect(source?.aboveOwn).toBeLessThan(0)
    expect(atOnce(shapeSource(of, split, []))).toBeNull()
  })

  it('votes by the nearest mean of all other classes, row by row', () => {
    // Means at (4, 0) and (0, 2): the first two rows of the group lie nearer to the first, and to its shape.
    const plane = { data: Float64Array.of(0, 0, 1, 1, -1, 1, 6, 0, 3, 1, 2, 2), cols: 2 }
    const own = Uint8Array.of(inRest, inRest, inRest, inGroup, inGroup, inGroup)
    const split = divided(plane, own)
    const like = split.separation.group.scatter.map((value, at) => value + (at % 3 === 0 ? 0.01 : 0))
    const two = [otherClass(5, [4, 0], like), otherClass(6, [0, 2], [1, 0, 0, 1])]
    expect(atOnce(shapeSource(plane, split, two))).toMatchObject({ classIndex: 5, vote: 2 / 3 })
    // The shape of the second, though most rows lie nearer to the first.
    const swapped = [otherClass(5, [4, 0], [1, 0, 0, 1]), otherClass(6, [0, 2], like)]
    expect(atOnce(shapeSource(plane, split, swapped))).toMatchObject({ classIndex: 6, vote: 1 / 3 })
  })

  it('is no class of fewer than thirty rows, whose shape is not known', () => {
    const like = otherClass(5, [4, 0], [1, 0, 0, 1])
    const split = divided(rows, side)
    expect(atOnce(shapeSource(rows, split, [{ ...like, rows: 29 }]))).toBeNull()
    expect(atOnce(shapeSource(rows, split, [{ ...like, rows: 30 }]))).toMatchObject({ classIndex: 5 })
  })

  it('copies of one row have no shape: no source, where they gave NaN', () => {
    const copies = { data: Float64Array.of(0, 0, 1, 1, -1, 1, 5, 5, 5, 5), cols: 2 }
    const split = divided(copies, side)
    expect([...split.separation.group.scatter]).toEqual([0, 0, 0, 0])
    expect(atOnce(shapeSource(copies, split, [otherClass(1, [0, 0], [1, 0, 0, 1]), otherClass(2, [0, 0], [2, 0, 0, 1])]))).toBeNull()
  })
})
