import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'

const draw = (rng: Rng, count: number) => Array.from({ length: count }, () => rng.uint32())

test('the same seed gives the same numbers, another seed others', () => {
  expect(draw(new Rng(7), 20)).toEqual(draw(new Rng(7), 20))
  expect(draw(new Rng(7), 20)).not.toEqual(draw(new Rng(8), 20))
  expect(draw(new Rng(-7), 20)).not.toEqual(draw(new Rng(7), 20))
  expect(draw(new Rng(2 ** 53 - 1), 20)).not.toEqual(draw(new Rng(2 ** 53 - 2), 20))
})

test('the stream of a seed stays what it was: reports made earlier can be made again', () => {
  expect(draw(new Rng(0).fork('a'), 3)).toEqual([2720580948, 2222048043, 3731368751])
})

test('a fork depends on its label and on the path to it, not on what was drawn before', () => {
  const parent = new Rng(3)
  const early = draw(parent.fork('x'), 10)
  draw(parent, 100)
  expect(draw(parent.fork('x'), 10)).toEqual(early)
  expect(draw(parent.fork('y'), 10)).not.toEqual(early)
  expect(draw(new Rng(4).fork('x'), 10)).not.toEqual(early)
  expect(draw(parent.fork('x').fork('y'), 10)).not.toEqual(draw(parent.fork('x/y'), 10))
})

test('drawing from a fork leaves its parent alone', () => {
  const one = new Rng(3)
  const other = new Rng(3)
  draw(other.fork('x'), 100)
  other.normal()
  one.normal()
  expect(draw(one, 10)).toEqual(draw(other, 10))
})

test('forks are uncorrelated with one another and with their parent', () => {
  const parent = new Rng(1)
  const streams = [parent, ...Array.from({ length: 6 }, (_, i) => parent.fork(String(i)))].map((rng) =>
    Array.from({ length: 4000 }, () => rng.normal()),
  )
  for (const [i, a] of streams.entries()) {
    for (const b of streams.slice(i + 1)) {
      const correlation = a.reduce((sum, value, j) => sum + value * (b[j] as number), 0) / a.length
      expect(Math.abs(correlation)).toBeLessThan(5 / Math.sqrt(a.length))
    }
  }
})

test('float stays within [0, 1) and is uniform', () => {
  const rng = new Rng(11)
  const bins = new Array<number>(16).fill(0)
  for (let i = 0; i < 32_000; i++) {
    const value = rng.float()
    if (!(value >= 0 && value < 1)) throw new Error(`out of range: ${value}`)
    const bin = Math.floor(value * 16)
    bins[bin] = (bins[bin] as number) + 1
  }
  // χ² with 15 degrees of freedom: 44 is passed once in 10,000 times.
  expect(bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(44)
})

test('below is uniform over a bound that divides no power of two, and reaches both ends', () => {
  const rng = new Rng(5)
  const bins = new Array<number>(7).fill(0)
  for (let i = 0; i < 70_000; i++) {
    const value = rng.below(7)
    bins[value] = (bins[value] as number) + 1
  }
  expect(bins).toHaveLength(7)
  expect(bins.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(30)
  expect(rng.below(1)).toBe(0)
  for (let i = 0; i < 1000; i++) expect(rng.below(2 ** 53)).toBeLessThan(2 ** 53)
})

test('normal has the moments of a standard normal', () => {
  const rng = new Rng(9)
  const n = 100_000
  const moments = [0, 0, 0, 0]
  for (let i = 0; i < n; i++) {
    const value = rng.normal()
    for (let k = 0; k < 4; k++) moments[k] = (moments[k] as number) + value ** (k + 1) / n
  }
  const [mean, square, cube, fourth] = moments as [number, number, number, number]
  expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n))
  expect(Math.abs(square - 1)).toBeLessThan(5 * Math.sqrt(2 / n))
  expect(Math.abs(cube)).toBeLessThan(5 * Math.sqrt(15 / n))
  expect(Math.abs(fourth - 3)).toBeLessThan(5 * Math.sqrt(96 / n))
})
