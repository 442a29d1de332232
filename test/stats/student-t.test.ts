import { expect, test } from 'vitest'
import { studentTUpper } from '../../src/stats/student-t.js'

// tables of Student's distribution, and closed forms: one degree of freedom is Cauchy's, two have t / √(2 + t²)
test.each([
  [2.776445, 4, 0.025],
  [1.812461, 10, 0.05],
  [3.169273, 10, 0.005],
  [1, 1, 0.25],
  [0, 7, 0.5],
  [2, 2, (1 - 2 / Math.sqrt(6)) / 2],
])('P(T > %f) with %i degrees of freedom is %f', (t, freedom, p) => {
  expect(studentTUpper(t, freedom)).toBeCloseTo(p, 6)
  expect(studentTUpper(-t, freedom)).toBeCloseTo(1 - p, 6)
})

test('far tails keep their digits', () => {
  expect(studentTUpper(1e6, 1) * Math.PI * 1e6).toBeCloseTo(1, 6)
})
