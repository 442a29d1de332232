import { describe, expect, test } from 'vitest'
import { type Planted, type PlantedOptions, planted } from './planted.js'

const base: PlantedOptions = { seed: 7, rows: [120, 80, 200], features: 12, poison: { target: 2, rate: 0.1, shift: 5 } }

describe('planted', () => {
  test('has exactly the rows asked for per label, and exactly ε of the target poisoned', () => {
    const { activations, labels, poison } = planted(base)
    expect([activations.rows, activations.cols, activations.data.length]).toEqual([400, 12, 4800])
    expect([0, 1, 2].map((label) => labels.filter((other) => other === label).length)).toEqual([120, 80, 200])
    expect(count(poison)).toBe(20)
    expect(labels.every((label, row) => !poison[row] || label === 2)).toBe(true)
    expect(activations.data.every(Number.isFinite)).toBe(true)
  })

  test('one number of rows means as many in every class; without poison the mask is empty', () => {
    const { labels, poison } = planted({ seed: 1, rows: 30, features: 3, classes: 5 })
    expect([0, 1, 2, 3, 4].map((label) => labels.filter((other) => other === label).length)).toEqual([30, 30, 30, 30, 30])
    expect(count(poison)).toBe(0)
  })

  test('the same options give the same bytes, another seed gives others', () => {
    const first = planted(base)
    const again = planted({ ...base })
    const other = planted({ ...base, seed: 8 })
    expect(again).toEqual(first)
    expect(other.activations.data).not.toEqual(first.activations.data)
    expect(other.labels).not.toEqual(first.labels)
  })

  test('rows are shuffled: neither labels nor poison come in blocks', () => {
    const { labels, poison } = planted(base)
    const changes = labels.filter((label, row) => row > 0 && label !== labels[row - 1]).length
    expect(changes).toBeGreaterThan(150)
    const target = poison.filter((_, row) => labels[row] === 2)
    expect(count(target.subarray(0, 100))).toBeGreaterThan(0)
    expect(count(target.subarray(100))).toBeGreaterThan(0)
  })

  test('poison leaves the rows of the other classes as they were', () => {
    const withPoison = planted(base)
    const { poison: _, ...clean } = base
    const without = planted(clean)
    expect(rowsOf(withPoison, 0)).toEqual(rowsOf(without, 0))
    expect(rowsOf(withPoison, 1)).toEqual(rowsOf(without, 1))
    expect(rowsOf(withPoison, 2)).not.toEqual(rowsOf(without, 2))
  })

  test('the poisoned mean lies `shift` standard deviations away; towards the source where one is named', () => {
    const rows = [4000, 4000]
    for (const source of [undefined, 0]) {
      const set = planted({
        seed: 3,
        rows,
        features: 6,
        poison: { target: 1, rate: 0.5, shift: 4, ...(source === undefined ? {} : { source }) },
      })
      const clean = meanOf(set, (row) => set.labels[row] === 1 && !set.poison[row])
      const poisoned = meanOf(set, (row) => set.poison[row] === 1)
      const between = poisoned.map((value, col) => value - (clean[col] as number))
      expect(Math.hypot(...between)).toBeCloseTo(4, 0)
      if (source === undefined) continue
      const towards = meanOf(set, (row) => set.labels[row] === source).map((value, col) => value - (clean[col] as number))
      const cosine =
        between.reduce((sum, value, col) => sum + value * (towards[col] as number), 0) / (Math.hypot(...between) * Math.hypot(...towards))
      expect(cosine).toBeGreaterThan(0.99)
    }
  })

  test('`tight` scales the spread of the poisoned rows only', () => {
    const set = planted({ seed: 4, rows: 4000, classes: 2, features: 5, poison: { target: 0, rate: 0.5, shift: 3, tight: 0.25 } })
    expect(spreadOf(set, (row) => set.poison[row] === 1)).toBeCloseTo(0.25, 1)
    expect(spreadOf(set, (row) => set.poison[row] === 0 && set.labels[row] === 0)).toBeCloseTo(1, 1)
  })

  test('dead columns are 0 throughout, as many as asked for, also with an offset; the others vary', () => {
    for (const offset of [0, 1e4]) {
      const { activations } = planted({ ...base, deadColumns: 5, offset })
      const columns = Array.from({ length: 12 }, (_, col) => activations.data.filter((_, i) => i % 12 === col))
      const dead = columns.filter((column) => column.every((value) => value === column[0]))
      expect(dead.length).toBe(5)
      expect(dead.every((column) => column[0] === 0)).toBe(true)
    }
  })

  test('an offset moves every feature and leaves the spread', () => {
    const set = planted({ seed: 5, rows: 1000, classes: 1, features: 4, offset: 1e4 })
    for (const value of meanOf(set, () => true)) expect(Math.abs(value - 1e4)).toBeLessThan(10)
    expect(spreadOf(set, () => true)).toBeCloseTo(1, 1)
  })

  test('relu leaves no negative value and some exact zeros', () => {
    const { activations } = planted({ ...base, relu: true })
    expect(activations.data.every((value) => value >= 0)).toBe(true)
    expect(activations.data.includes(0)).toBe(true)
  })

  test('heavy tails keep the variance and reach further', () => {
    const options = { seed: 6, rows: 20000, classes: 1, features: 2 }
    const normal = planted(options)
    const heavy = planted({ ...options, heavyTails: true })
    expect(spreadOf(heavy, () => true)).toBeCloseTo(1, 1)
    expect(kurtosis(heavy)).toBeGreaterThan(kurtosis(normal) + 1)
  })

  test('a bimodal class has two halves, and no poison', () => {
    const set = planted({ seed: 9, rows: 2000, classes: 2, features: 4, bimodalClass: 1 })
    expect(count(set.poison)).toBe(0)
    expect(spreadOf(set, (row) => set.labels[row] === 0)).toBeCloseTo(1, 1)
    // Halves ±3 along one of four directions: total variance 4 + 9.
    expect(4 * spreadOf(set, (row) => set.labels[row] === 1) ** 2).toBeCloseTo(13, 0)
  })

  test('refuses classes that do not exist, rates outside 0 … 1 and more dead columns than columns', () => {
    const poison = { target: 1, rate: 0.1, shift: 1 }
    for (const wrong of [
      { poison: { ...poison, target: 3 } },
      { poison: { ...poison, source: 3 } },
      { poison: { ...poison, source: 1 } },
      { poison: { ...poison, rate: 1.5 } },
      { poison: { ...poison, rate: Number.NaN } },
      { bimodalClass: -1 },
      { deadColumns: 13 },
      { rows: [10, 2.5] },
      { rows: [] },
    ]) {
      expect(() => planted({ ...base, ...wrong })).toThrow(RangeError)
    }
  })
})

function count(mask: Uint8Array): number {
  return mask.reduce((sum, value) => sum + value, 0)
}

function rowOf({ activations: { data, cols } }: Planted, row: number): number[] {
  return [...data.subarray(row * cols, (row + 1) * cols)]
}

function rowsOf(set: Planted, label: number): number[][] {
  return [...set.labels.keys()].filter((row) => set.labels[row] === label).map((row) => rowOf(set, row))
}

function meanOf(set: Planted, keep: (row: number) => boolean): number[] {
  const rows = [...set.labels.keys()].filter(keep).map((row) => rowOf(set, row))
  return Array.from({ length: set.activations.cols }, (_, col) => rows.reduce((sum, row) => sum + (row[col] as number), 0) / rows.length)
}

/** Root mean square deviation from the mean, over all features. */
function spreadOf(set: Planted, keep: (row: number) => boolean): number {
  const mean = meanOf(set, keep)
  const squares = [...set.labels.keys()]
    .filter(keep)
    .flatMap((row) => rowOf(set, row).map((value, col) => (value - (mean[col] as number)) ** 2))
  return Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / squares.length)
}

/** Of the first feature. */
function kurtosis(set: Planted): number {
  const mean = meanOf(set, () => true)[0] as number
  const deviations = [...set.labels.keys()].map((row) => (set.activations.data[row * set.activations.cols] as number) - mean)
  const moment = (power: number) => deviations.reduce((sum, value) => sum + value ** power, 0) / deviations.length
  return moment(4) / moment(2) ** 2
}
