import { expect, it } from 'vitest'
import { robustDeviations } from '../../src/stats/robust-deviations.js'

it('by hand: median 3, median absolute deviation 1', () => {
  const { deviations, spread } = robustDeviations([1, 2, 3, 4, 100])
  expect(spread).toBe('median')
  expect([...deviations]).toEqual([-2, -1, 0, 1, 97].map((value) => value / 1.4826))
})

it('takes the mean absolute deviation where more than half the values are equal', () => {
  const { deviations, spread } = robustDeviations([5, 5, 5, 5, 9])
  expect(spread).toBe('mean')
  expect([...deviations]).toEqual([0, 0, 0, 0, 4 / (1.2533 * 0.8)])
})

it('is 0 throughout where all values are equal, and nothing for none', () => {
  expect(robustDeviations([2, 2, 2])).toEqual({ deviations: new Float64Array(3), spread: 'none' })
  expect(robustDeviations([])).toEqual({ deviations: new Float64Array(0), spread: 'none' })
})
