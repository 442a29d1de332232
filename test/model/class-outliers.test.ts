import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { mergePValues, outlierPValues } from '../../src/model/class-outliers.js'

test('p-values are uniform for normal values, whatever their mean and spread', () => {
  const rng = new Rng(2)
  const pValues = Array.from({ length: 2000 }, () =>
    outlierPValues(Array.from({ length: 10 }, () => 50 + 7 * rng.normal())),
  ).flat() as number[]
  for (const level of [0.01, 0.1, 0.5]) {
    expect(Math.abs(pValues.filter((p) => p <= level).length / pValues.length - level)).toBeLessThan(0.01)
  }
})

test('a class far above the others gets a small one, fewer than four classes none, equal classes no blame', () => {
  expect(outlierPValues([1, 2, 3, 2, 1, 30])[5]).toBeLessThan(1e-4)
  expect(outlierPValues([1, 2, 30])).toEqual([null, null, null])
  expect(outlierPValues([4, 4, 4, 4])).toEqual([1, 1, 1, 1])
})

test('merged p-values are e·ln n times the harmonic mean, at most 1; for ranking the geometric mean', () => {
  const merged = mergePValues([0.01, 0.0001, 0.01])
  expect(merged.pValue).toBeCloseTo((Math.E * Math.log(3) * 3) / (100 + 10_000 + 100), 12)
  expect(merged.strength).toBeCloseTo(0.01 ** (2 / 3) * 0.0001 ** (1 / 3), 12)
  expect(mergePValues([0.9, 0.9, 0.9]).pValue).toBe(1)
})

test('a merged p-value is valid for p-values that are all the same, and for independent ones', () => {
  const rng = new Rng(8)
  for (const draw of [() => new Array<number>(4).fill(rng.float()), () => Array.from({ length: 4 }, () => rng.float())]) {
    const merged = Array.from({ length: 5000 }, () => mergePValues(draw()).pValue)
    for (const level of [0.01, 0.05, 0.2]) expect(merged.filter((p) => p <= level).length / 5000).toBeLessThanOrEqual(level)
  }
})
