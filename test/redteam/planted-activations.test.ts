import { describe, expect, it } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import { type PlantedActivations, type PlantedActivationsOptions, plantedActivations } from '../../src/redteam/index.js'

const bearing = ({ set }: PlantedActivations, label: number) => [...set.labels.keys()].filter((row) => set.labels[row] === label)
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0)
const rowOf = ({ set }: PlantedActivations, row: number) => {
  const { data, cols } = set.activations
  return data.subarray(row * cols, (row + 1) * cols)
}
const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.sqrt(Array.from(a).reduce((total, value, j) => total + (value - (b[j] as number)) ** 2, 0))
function meanOf(planted: PlantedActivations, rows: readonly number[]): Float64Array {
  const mean = new Float64Array(planted.set.activations.cols)
  for (const row of rows) {
    rowOf(planted, row).forEach((value, j) => {
      mean[j] = (mean[j] as number) + value / rows.length
    })
  }
  return mean
}

const small = { rows: 60, classes: 4, features: 24 } as const

describe('counts', () => {
  it.each([0.003, 0.01, 0.1, 0.333, 0.5])('a rate of %s of the target’s rows, exactly, in sets of equal size', (rate) => {
    const planted = plantedActivations({
      ...{ rows: 1000, classes: 3, features: 8 },
      attack: { kind: 'source-to-target', target: 1, source: 2, rate },
    })
    expect(sum(planted.truth.poison)).toBe(Math.round(rate * 1000))
    expect([0, 1, 2].map((label) => bearing(planted, label).length)).toEqual([1000, 1000, 1000])
    expect(planted.truth).toMatchObject({ target: 1, source: 2 })
  })

  it('an imbalance of 10:1 and 200:1, falling geometrically; or one number a label', () => {
    const sizes = (options: PlantedActivationsOptions) => {
      const planted = plantedActivations({ features: 2, ...options })
      return Array.from({ length: options.classes ?? (options.rows as number[]).length }, (_, label) => bearing(planted, label).length)
    }
    expect(sizes({ rows: 1000, classes: 3, imbalance: 10 })).toEqual([1000, 316, 100])
    expect(sizes({ rows: 2000, classes: 2, imbalance: 200 })).toEqual([2000, 10])
    expect(sizes({ rows: [7, 50, 3, 12] })).toEqual([7, 50, 3, 12])
  })

  it('a thousand classes', () => {
    const { set } = plantedActivations({ rows: 3, classes: 1000, features: 16 })
    expect(toActivationSet(set).classes).toHaveLength(1000)
  })
})

describe('the same options', () => {
  const options: PlantedActivationsOptions = {
    ...small,
    ...{ seed: 5, trusted: 3, degrees: 3, deadUnits: 2, groups: [{ label: 0 }], tracks: [{ label: 1, count: 2 }] },
    attack: { kind: 'all-to-one', target: 3, rate: 0.2 },
  }

  it('give the same bytes, and another seed others', () => {
    const planted = plantedActivations(options)
    expect(plantedActivations(options)).toEqual(planted)
    expect(plantedActivations({ ...options, seed: 6 }).set.activations.data).not.toEqual(planted.set.activations.data)
  })

  it('without the attack give the same clean rows', () => {
    const planted = plantedActivations(options)
    const { attack: _, ...rest } = options
    const clean = plantedActivations(rest)
    expect(sum(clean.truth.poison)).toBe(0)
    expect(clean.set.labels).toEqual(planted.set.labels)
    planted.truth.poison.forEach((poison, row) => {
      if (poison) expect(rowOf(planted, row)).not.toEqual(rowOf(clean, row))
      else expect(rowOf(planted, row)).toEqual(rowOf(clean, row))
    })
  })
})

describe('attacks', () => {
  it('source to target: rows of the source lie at the target, as near as reach and trigger say', () => {
    const of = (reach: number, trigger: number) => {
      const planted = plantedActivations({
        ...{ rows: 800, classes: 4, features: 40, layer: 'linear' },
        attack: { kind: 'source-to-target', target: 2, source: 1, rate: 0.25, reach, trigger },
      })
      const poisons = bearing(planted, 2).filter((row) => planted.truth.poison[row])
      expect(poisons.map((row) => planted.truth.trueLabels[row])).toEqual(new Array(200).fill(1))
      const clean = bearing(planted, 2).filter((row) => !planted.truth.poison[row])
      const centre = meanOf(planted, poisons)
      return [meanOf(planted, clean), meanOf(planted, bearing(planted, 1))].map((mean) => distance(mean, centre))
    }
    const [toTarget, toSource] = of(1, 0)
    expect(toTarget as number).toBeLessThan(0.1 * (toSource as number))
    const [half, otherHalf] = of(0.5, 0)
    expect((half as number) / (otherHalf as number)).toBeCloseTo(1, 1)
    expect(of(1, 5)[0] as number).toBeGreaterThan(3 * (toTarget as number))
  })

  it('all to one: rows come from every other class by its size', () => {
    const planted = plantedActivations({ rows: [900, 100, 800], features: 4, attack: { kind: 'all-to-one', target: 2, rate: 0.5 } })
    const from = [0, 0, 0]
    planted.truth.trueLabels.forEach((label, row) => {
      if (planted.truth.poison[row]) from[label] = (from[label] as number) + 1
    })
    expect(sum(from)).toBe(400)
    expect(from[2]).toBe(0)
    expect(from[1]).toBeGreaterThan(20)
    expect(from[1]).toBeLessThan(65)
    expect(planted.truth.source).toBeNull()
  })

  it('clean label: true labels are the labels', () => {
    const planted = plantedActivations({ ...small, attack: { kind: 'clean-label', target: 0, rate: 0.3 } })
    expect(sum(planted.truth.poison)).toBe(18)
    expect(planted.truth.trueLabels).toEqual(planted.set.labels)
    expect(bearing(planted, 0).filter((row) => planted.truth.poison[row])).toHaveLength(18)
  })
})

describe('features', () => {
  it('ReLU gives no negative value, off and on; dead units are 0 throughout and others are not', () => {
    const { set } = plantedActivations({ ...small, deadUnits: 7 })
    const { data, cols } = set.activations
    expect(data.every((value) => value >= 0 && Number.isFinite(value))).toBe(true)
    const off = data.filter((value) => value === 0).length / data.length
    expect(off).toBeGreaterThan(0.4)
    expect(off).toBeLessThan(0.8)
    const dead = Array.from({ length: cols }, (_, j) => data.every((value, at) => at % cols !== j || value === 0))
    expect(dead.filter(Boolean)).toHaveLength(7)
  })

  it('Student’s t has the same variance and longer tails', () => {
    const kurtosis = (degrees?: number) => {
      const planted = plantedActivations({ rows: 6000, classes: 2, features: 3, layer: 'linear', ...(degrees && { degrees }) })
      const rows = bearing(planted, 0)
      const mean = meanOf(planted, rows)
      const off = rows.map((row) => (rowOf(planted, row)[0] as number) - (mean[0] as number))
      const moment = (power: number) => sum(off.map((value) => value ** power)) / off.length
      return { variance: moment(2), kurtosis: moment(4) / moment(2) ** 2 }
    }
    const [normal, tailed] = [kurtosis(), kurtosis(5)]
    expect(normal.kurtosis).toBeLessThan(3.4)
    expect(tailed.kurtosis).toBeGreaterThan(4)
    expect(tailed.variance / normal.variance).toBeCloseTo(1, 0)
  })

  it('the variance of a class falls along its directions, mostly the same for all classes', () => {
    const planted = plantedActivations({ rows: 2000, classes: 2, features: 16, layer: 'linear', ownVariation: 0.3 })
    const variances = [0, 1].map((label) => {
      const rows = bearing(planted, label)
      const mean = meanOf(planted, rows)
      return mean.map((value, j) => sum(rows.map((row) => ((rowOf(planted, row)[j] as number) - value) ** 2)) / rows.length)
    }) as [Float64Array, Float64Array]
    variances[0].forEach((value, j) => {
      expect(value / (variances[1][j] as number)).toBeGreaterThan(0.5)
      expect(value / (variances[1][j] as number)).toBeLessThan(2)
    })
  })
})

describe('natural groups', () => {
  it('a share of a label is a second group, near, or as far as a class, and counts are exact', () => {
    const of = (kind: 'natural' | 'merged') => {
      const planted = plantedActivations({
        ...{ rows: 1000, classes: 3, features: 30, layer: 'linear' },
        groups: [{ label: 1, share: 0.3, kind, distance: 2 }],
      })
      const rows = bearing(planted, 1)
      const [main, second] = [0, 1].map((group) => rows.filter((row) => planted.truth.group[row] === group)) as [number[], number[]]
      expect(second).toHaveLength(300)
      expect(sum(planted.truth.group)).toBe(300)
      const apart = distance(meanOf(planted, main), meanOf(planted, second))
      return apart / distance(meanOf(planted, main), meanOf(planted, bearing(planted, 0)))
    }
    expect(of('natural')).toBeLessThan(0.6)
    expect(of('merged')).toBeGreaterThan(0.5)
  })

  it('tracks are small groups of near-identical rows', () => {
    const planted = plantedActivations({ ...small, tracks: [{ label: 2, count: 3, rows: 5, spread: 0.01 }] })
    for (const track of [2, 3, 4]) {
      const rows = bearing(planted, 2).filter((row) => planted.truth.group[row] === track)
      expect(rows).toHaveLength(5)
      const others = bearing(planted, 2).filter((row) => planted.truth.group[row] !== track)
      const to = (row: number) => distance(rowOf(planted, row), rowOf(planted, rows[0] as number))
      expect(Math.max(...rows.map(to))).toBeLessThan(0.2 * Math.min(...others.map(to)))
    }
  })

  it('trusted rows are clean ones of each class, its second group among them', () => {
    const planted = plantedActivations({
      ...{ rows: 400, classes: 3, features: 30, layer: 'linear', trusted: 200, groups: [{ label: 0, distance: 10 }] },
      attack: { kind: 'source-to-target', target: 0, source: 1, rate: 0.5 },
    })
    const { trusted } = toActivationSet(planted.set)
    expect([...(trusted?.classOf ?? [])]).toEqual([0, 1, 2].flatMap((label) => new Array(200).fill(label)))
    const { data = new Float32Array(0), cols = 1 } = trusted?.activations ?? {}
    const ofFirst = Array.from({ length: 200 }, (_, i) => data.subarray(i * cols, (i + 1) * cols))
    const rows = bearing(planted, 0).filter((row) => !planted.truth.poison[row])
    const [main, second] = [0, 1].map((group) =>
      meanOf(
        planted,
        rows.filter((row) => planted.truth.group[row] === group),
      ),
    ) as [Float64Array, Float64Array]
    const ofSecond = ofFirst.filter((row) => distance(row, second) < distance(row, main)).length
    expect(ofSecond).toBeGreaterThan(60)
    expect(ofSecond).toBeLessThan(100)
  })
})

describe('refusals', () => {
  const attack = { kind: 'source-to-target', target: 0, source: 1, rate: 0.1 } as const
  it.each([
    [{ rows: 0 }, 'bad-option', 'rows'],
    [{ rows: [5] }, 'bad-option', 'rows: got 1 numbers, expected at least 2'],
    [{ classes: 1 }, 'bad-option', 'classes: got 1, expected a number ≥ 2'],
    [{ features: 4, deadUnits: 5 }, 'bad-option', 'deadUnits: got 5, expected at most 4'],
    [{ degrees: 2 }, 'bad-option', 'degrees: got 2, expected a number ≥ 3'],
    [{ attack: { ...attack, rate: 1 } }, 'bad-option', 'attack.rate: got 1, expected a number < 1'],
    [{ attack: { ...attack, source: 0 } }, 'bad-option', 'attack.source: got 0, expected a label but the target'],
    [{ attack: { ...attack, target: 10 } }, 'bad-option', 'attack.target: got 10, expected one of 0 … 9'],
    [{ attack: { ...attack, kind: 'all-to-one' } }, 'bad-option', 'attack.source: got 1, expected none for all-to-one'],
    [{ rows: 20, attack: { ...attack, rate: 0.01 } }, 'no-rows', 'rounds to 0 rows'],
    [{ rows: 20, tracks: [{ label: 0, count: 3 }] }, 'too-few-rows', 'label 0 has 20 clean rows'],
    [{ groups: [{ label: 0 }, { label: 0 }] }, 'bad-option', 'at most one a label'],
    [{ seeed: 1 }, 'bad-option', 'seeed: there is no such option'],
  ] as const)('%j', (options, code, message) => {
    expect(() => plantedActivations(options as PlantedActivationsOptions)).toThrow(
      expect.objectContaining({ name: 'OptionError', code, message: expect.stringContaining(message) }),
    )
  })
})
