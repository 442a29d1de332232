import { createHash } from 'node:crypto'
import { describe, expect, it, test } from 'vitest'
import { checkTruth } from '../../src/bench/truth.js'
import { toActivationSet } from '../../src/core/activation-set.js'
import { type Poisoned, plant } from '../../src/redteam/attack.js'
import { attacks } from '../../src/redteam/attacks.js'
import {
  adaptiveBlend,
  allToAll,
  badNets,
  blended,
  type ImageSet,
  labelFlips,
  sig,
  tact,
  truthJson,
  waNet,
} from '../../src/redteam/index.js'
import { type Made, pictureOf, pictures, rowsOfMask } from './hand-made-images.js'

const counts = [40, 50, 60, 70]

interface Case {
  readonly name: string
  readonly run: (set: ImageSet, options: { readonly rate?: number; readonly seed?: number }) => Poisoned
  /** How many rows are poisoned at a rate. */
  readonly poisons: (rate: number) => number
  readonly covers?: number
  /** True labels of the poisoned rows, and the labels that they may bear. */
  readonly from: readonly number[]
  readonly to: (trueLabel: number) => readonly number[]
  readonly coverFrom?: readonly number[]
  /** Rates that leave enough rows. */
  readonly rates: readonly number[]
  readonly paints?: boolean
}

const n = 220
const low = [0.01, 0.1, 0.2]
const cases: Case[] = [
  {
    name: 'badnets source->target',
    run: (set, more) => badNets(set, { source: 0, target: 3, ...more }),
    ...{ poisons: (rate) => Math.round(rate * 70), from: [0], to: () => [3], rates: [0.015, 0.1, 0.35, 0.5] },
  },
  {
    name: 'badnets all-to-one',
    run: (set, more) => badNets(set, { target: 2, ...more }),
    ...{ poisons: (rate) => Math.round(rate * n), from: [0, 1, 3], to: () => [2], rates: low },
  },
  {
    name: 'all-to-all',
    run: (set, more) => allToAll(set, more),
    ...{ poisons: (rate) => Math.round(rate * n), from: [0, 1, 2, 3], to: (label) => [(label + 1) % 4], rates: [...low, 1] },
  },
  {
    name: 'blended source->target',
    run: (set, more) => blended(set, { source: 1, target: 0, ...more }),
    ...{ poisons: (rate) => Math.round(rate * 40), from: [1], to: () => [0], rates: [0.05, 0.1, 1] },
  },
  {
    name: 'blended all-to-one',
    run: (set, more) => blended(set, { target: 0, ...more }),
    ...{ poisons: (rate) => Math.round(rate * n), from: [1, 2, 3], to: () => [0], rates: low },
  },
  {
    name: 'sig',
    run: (set, more) => sig(set, { target: 1, ...more }),
    ...{ poisons: (rate) => Math.round(rate * 50), from: [1], to: () => [1], rates: [0.01, 0.5, 1] },
  },
  {
    name: 'wanet with noise mode',
    run: (set, more) => waNet(set, { target: 1, strength: 4, ...more }),
    ...{ poisons: (rate) => Math.round(rate * n), covers: 44, from: [0, 2, 3], to: () => [1], coverFrom: [0, 1, 2, 3], rates: low },
  },
  {
    name: 'adaptive-blend',
    run: (set, more) => adaptiveBlend(set, { target: 1, coverRate: 0.1, alpha: 0.6, ...more }),
    ...{ poisons: (rate) => Math.round(rate * n), covers: 22, from: [0, 2, 3], to: () => [1], coverFrom: [0, 2, 3], rates: low },
  },
  {
    name: 'tact',
    run: (set, more) => tact(set, { source: 0, target: 3, coverRate: 0.05, ...more }),
    ...{ poisons: (rate) => Math.round(rate * 70), covers: 11, from: [0], to: () => [3], coverFrom: [1, 2], rates: [0.02, 0.1, 0.5] },
  },
  {
    name: 'label flips source->target',
    run: (set, more) => labelFlips(set, { source: 2, target: 3, ...more }),
    ...{ poisons: (rate) => Math.round(rate * 70), from: [2], to: () => [3], rates: [0.02, 0.1, 0.5], paints: false },
  },
  {
    name: 'label flips, random',
    run: (set, more) => labelFlips(set, more),
    ...{ poisons: (rate) => Math.round(rate * n), from: [0, 1, 2, 3], paints: false, rates: [...low, 1] },
    to: (label) => [0, 1, 2, 3].filter((other) => other !== label),
  },
]

describe.each(cases)('$name', ({ run, poisons, covers = 0, from, to, coverFrom, rates, paints = true }) => {
  for (const shape of [
    [8, 8],
    [8, 7, 1],
    [6, 8, 3],
    [8, 8, 4],
  ]) {
    it(`changes the named rows of pictures of ${shape.join('×')}, their labels, and nothing else`, () => {
      const set = pictures(counts, shape)
      const got = run(set, {})
      const { poison, cover, trueLabels, rate } = got.truth
      expect(trueLabels).toEqual(set.labels)
      expect(got.images.shape).toEqual(set.images.shape)
      expect(rowsOfMask(poison)).toHaveLength(poisons(rate))
      expect(rowsOfMask(cover)).toHaveLength(covers)
      expect(cover === null).toBe(covers === 0)
      for (let row = 0; row < n; row++) {
        const before = set.labels[row] as number
        const after = got.labels[row] as number
        if (poison[row]) {
          expect(from).toContain(before)
          expect(to(before)).toContain(after)
          expect(cover?.[row] ?? 0).toBe(0)
        } else expect(after).toBe(before)
        if (cover?.[row]) expect(coverFrom).toContain(before)
        const same = Buffer.compare(pictureOf(got, row), pictureOf(set, row)) === 0
        expect(same, `row ${row}`).toBe(!(paints && (poison[row] || cover?.[row])))
      }
    })
  }

  it.each(rates)('poisons the stated number of rows at rate %d', (rate) => {
    const got = run(pictures(counts), { rate })
    expect(rowsOfMask(got.truth.poison)).toHaveLength(poisons(rate))
    expect(got.truth.rate).toBe(rate)
  })

  it('gives the same bytes for the same seed, and other rows for another', () => {
    const [first, again, other] = [7, 7, 8].map((seed) => run(pictures(counts), { seed }))
    expect(again).toEqual(first)
    expect(other?.truth.poison).not.toEqual(first?.truth.poison)
    expect(first?.truth.seed).toBe(7)
  })

  it('does not change what it was given, a Node Buffer included', () => {
    const set = pictures(counts)
    const buffer = Buffer.from(set.images.data)
    const before = { data: set.images.data.slice(), labels: set.labels.slice() }
    const got = run({ images: { data: buffer, shape: set.images.shape }, labels: set.labels }, {})
    expect(Buffer.compare(buffer, before.data)).toBe(0)
    expect(set.labels).toEqual(before.labels)
    expect(got.images.data.buffer).not.toBe(buffer.buffer)
    expect(got.labels).not.toBe(set.labels)
    expect(got.truth.trueLabels).not.toBe(set.labels)
  })

  it('takes fewer of the same rows at a lower rate', () => {
    const [few = 0, , many = 0] = rates
    const [less, more] = [few, many].map((rate) => rowsOfMask(run(pictures(counts), { rate }).truth.poison))
    expect(more).toEqual(expect.arrayContaining(less ?? []))
  })

  it('says in truth.json what a bench can hold against the set', () => {
    const got = run(pictures(counts), {})
    const said = JSON.parse(JSON.stringify(truthJson(got)))
    const set = toActivationSet({ activations: { data: new Float32Array(n), rows: n, cols: 1 }, labels: got.labels })
    const poisoned = got.truth.poison
    const { attack, target, epsilon, source } = said
    const truth = checkTruth(set, { poisoned, attack, target, epsilon, source }, 'here')
    expect(truth.target?.epsilon).toBe(said.epsilon)
    expect(truth.target?.label).toBe(said.target)
    expect(said.n_poison).toBe(rowsOfMask(poisoned).length)
    expect(said.n_cover ?? 0).toBe(covers)
  })
})

describe('the pixels', () => {
  const one = (shape: number[], value = 10): Made => ({
    images: { data: new Uint8Array(2 * shape.reduce((a, b) => a * b, 1)).fill(value), shape: [2, ...shape] },
    labels: Int32Array.of(0, 1),
  })
  const all = { source: 0, target: 1, rate: 1 }

  test('a 2×2 patch on a grey 4×4 picture', () => {
    const got = badNets(one([4, 4]), { ...all, pattern: 'solid', height: 2, width: 2 })
    expect([...got.images.data]).toEqual([
      ...[10, 10, 10, 10, 10, 255, 255, 10, 10, 255, 255, 10, 10, 10, 10, 10],
      ...new Array(16).fill(10),
    ])
    expect([...got.labels]).toEqual([1, 1])
    expect(got.truth).toMatchObject({ epsilon: 0.5, source: 0, target: 1, trigger: 'solid 2×2, colour 255, bottom right, margin 1' })
  })

  test('a 2×2 patch of a colour on a 4×4 picture in colour, in another corner', () => {
    const got = badNets(one([4, 4, 3]), { ...all, pattern: 'solid', height: 2, width: 2, color: [1, 2, 3], place: 'tl', margin: 0 })
    const [old, new_] = [[10, 10, 10], [1, 2, 3]] // biome-ignore format: one line a row of the picture
    const line = (pixels: string) => [...pixels].flatMap((pixel) => (pixel === '#' ? new_ : old) as number[])
    expect([...pictureOf(got, 0)]).toEqual(['##..', '##..', '....', '....'].flatMap(line))
  })

  test.each([
    ['badnets', {}, ['.....', '...#.', '..#..', '.#.#.', '.....']],
    ['badnets', { margin: 0, place: 'tl' }, ['..#..', '.#...', '#.#..', '.....', '.....']],
    ['solid', { height: 1, width: 3, place: [4, 0] }, ['.....', '.....', '.....', '.....', '###..']],
    ['L', { height: 3, width: 2, place: 'tr', margin: 0 }, ['...#.', '...#.', '...##', '.....', '.....']],
    ['checker', { height: 2, width: 2, place: 'bl', margin: 0 }, ['.....', '.....', '.....', '#o...', 'o#...']],
    ['solid', { height: 1, width: 1, place: 'center' }, ['.....', '.....', '..#..', '.....', '.....']],
  ] as const)('the pattern %s, %j', (pattern, options, lines) => {
    const got = badNets(one([5, 5]), { ...all, pattern, ...options } as Parameters<typeof badNets>[1])
    const shown = [...pictureOf(got, 0)].map((value) => ({ 10: '.', 255: '#', 0: 'o' })[value])
    expect(shown.join('')).toBe(lines.join(''))
  })

  test('a given picture, with pixels that stay, in grey and in colour; opacity stays but where it is given', () => {
    const grey = badNets(one([2, 2]), { ...all, picture: [[null, 7]], place: [0, 0] })
    expect([...pictureOf(grey, 0)]).toEqual([10, 7, 10, 10])
    const color = badNets(one([1, 2, 4]), { ...all, picture: [[9, [1, 2, 3, 4]]], place: [0, 0] })
    expect([...pictureOf(color, 0)]).toEqual([9, 9, 9, 10, 1, 2, 3, 4])
    expect(color.truth.trigger).toBe('given picture 1×2, at row 0, column 0')
  })

  test('blended: alpha 1 gives the pattern, alpha 0.5 the mean with a half rounded up, and opacity stays', () => {
    const pattern = { data: Uint8Array.of(0, 13, 255, 20), shape: [2, 2] }
    expect([...pictureOf(blended(one([2, 2]), { ...all, pattern, alpha: 1 }), 0)]).toEqual([0, 13, 255, 20])
    const half = blended(one([2, 2, 4]), { ...all, pattern, alpha: 0.5 })
    expect([...pictureOf(half, 0)]).toEqual([5, 5, 5, 10, 12, 12, 12, 10, 133, 133, 133, 10, 15, 15, 15, 10])
    expect(half.truth.options.pattern).toEqual({ shape: [2, 2], sha256: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(half.truth.trigger).toBe('given picture 2×2 blended alpha 0.5')
  })

  test('blended: without a pattern the same noise is on every picture, and another seed has another', () => {
    const set = pictures([3, 3])
    const options = { source: 0, target: 1, rate: 1, alpha: 1 }
    const got = blended(set, options)
    const [first, ...others] = rowsOfMask(got.truth.poison).map((row) => [...pictureOf(got, row)])
    for (const other of others) expect(other).toEqual(first)
    expect(pictureOf(blended(set, { ...options, seed: 1 }), 0)).not.toEqual(pictureOf(got, 0))
  })

  test('sig: the values of a row by hand, along either axis, cut at 0 and 255', () => {
    // sin of 0, 60, 120, 180, 240, 300 degrees, times 20: 0, 17.32, 17.32, 0, −17.32, −17.32
    const got = sig(one([2, 6], 100), { target: 0, rate: 1, frequency: 1 })
    expect([...pictureOf(got, 0)]).toEqual([100, 117, 117, 100, 83, 83, 100, 117, 117, 100, 83, 83])
    expect([...got.labels]).toEqual([0, 1])
    const down = sig(one([4, 1], 100), { target: 0, rate: 1, frequency: 1, delta: 30, axis: 0 })
    expect([...pictureOf(down, 0)]).toEqual([100, 130, 100, 70])
    expect([...pictureOf(sig(one([1, 4], 250), { target: 0, rate: 1, frequency: 1 }), 0)]).toEqual([250, 255, 250, 230])
    expect([...pictureOf(sig(one([1, 4], 5), { target: 0, rate: 1, frequency: 1 }), 0)]).toEqual([5, 25, 5, 0])
    // sin 30° · 21 = 10.5, a half that is rounded up
    expect(pictureOf(sig(one([1, 12], 100), { target: 0, rate: 1, frequency: 1, delta: 21 }), 0)[1]).toBe(111)
  })

  test.each(['bicubic', 'bilinear'] as const)('wanet: strength 0 moves nothing, %s', (upsampling) => {
    const set = pictures([5, 5], [8, 6, 3])
    const got = waNet(set, { source: 0, target: 1, rate: 1, strength: 0, coverRate: 0, upsampling })
    expect(got.images.data).toEqual(set.images.data)
    expect(rowsOfMask(got.truth.poison)).toHaveLength(5)
    expect(got.truth.cover).toBeNull()
  })

  test('wanet: one warp for all pictures, which a constant picture does not show and a ramp shows', () => {
    const flat = waNet(one([8, 8]), { ...all, coverRate: 0, strength: 2 })
    expect([...flat.images.data]).toEqual(new Array(128).fill(10))
    const ramp = (step: (y: number, x: number) => number): Made => ({
      images: { data: Uint8Array.from({ length: 128 }, (_, at) => step(Math.floor((at % 64) / 8), at % 8)), shape: [2, 8, 8] },
      labels: Int32Array.of(0, 0),
    })
    const set = { ...ramp((_, x) => 30 * x), labels: Int32Array.of(0, 0, 1) }
    const three = { images: { data: new Uint8Array([...set.images.data, ...new Uint8Array(64)]), shape: [3, 8, 8] }, labels: set.labels }
    const got = waNet(three, { source: 0, target: 1, rate: 1, coverRate: 0, strength: 2 })
    const [row = 0] = rowsOfMask(got.truth.poison)
    expect(pictureOf(got, row)).not.toEqual(pictureOf(three, row))
    // strength 2 moves by about a pixel, so that no value is off by more than a few steps of the ramp
    const moved = [...pictureOf(got, row)].map((value, at) => Math.abs(value - 30 * (at % 8)))
    expect(Math.max(...moved)).toBeLessThan(120)
  })

  test('adaptive-blend: eight of sixteen pieces a picture, each picture its own', () => {
    const data = new Uint8Array(40 * 64)
    const set = { images: { data, shape: [40, 8, 8] }, labels: Int32Array.from({ length: 40 }, (_, row) => row % 2) }
    const pattern = { data: new Uint8Array(64).fill(200), shape: [8, 8] }
    const got = adaptiveBlend(set, { target: 1, rate: 0.25, coverRate: 0.1, alpha: 0.5, pattern })
    const rows = [...rowsOfMask(got.truth.poison), ...rowsOfMask(got.truth.cover)]
    expect(rows).toHaveLength(14)
    const drawn = rows.map((row) => {
      const picture = pictureOf(got, row)
      const pieces = Array.from({ length: 16 }, (_, piece) => picture[Math.floor(piece / 4) * 2 * 8 + (piece % 4) * 2] as number)
      expect([...picture].filter((value) => value === 100)).toHaveLength(32)
      expect(pieces.filter((value) => value === 100)).toHaveLength(8)
      return pieces.join()
    })
    expect(new Set(drawn).size).toBeGreaterThan(5)
  })

  test('all-to-all takes the next label that there is', () => {
    const set = { ...one([4, 4]), labels: Int32Array.of(-3, 20) }
    expect([...allToAll(set, { rate: 1 }).labels]).toEqual([20, -3])
  })
})

describe('refusals', () => {
  const set = pictures([10, 20, 30])
  test.each([
    [() => badNets(set, { source: 1, target: 1 }), 'same-label', 'badnets: source: got 1, which is the target too'],
    [() => badNets(set, { target: 9 }), 'unknown-label', 'badnets: target: got 9, but no row bears that label; expected one of 0, 1, 2'],
    [() => badNets(set, { source: 9, target: 1 }), 'unknown-label', 'badnets: source: got 9'],
    [() => badNets(set, { target: 1, rate: 0 }), 'bad-option', 'badnets: rate: got 0, expected a number > 0'],
    [() => badNets(set, { target: 1, rate: 1.5 }), 'bad-option', 'rate: got 1.5'],
    [() => badNets(set, { target: 1, rate: Number.NaN }), 'bad-option', 'rate: got NaN'],
    [() => badNets(set, { target: 1, rate: 0.001 }), 'no-rows', '0.001 of the 60 rows rounds to 0 rows, expected at least 1; raise it'],
    [
      () => badNets(set, { source: 0, target: 2, rate: 0.5 }),
      'too-few-rows',
      '0.5 of the 30 clean rows of class 2 is 15 rows, but there are 10',
    ],
    [() => badNets(set, { target: 2, rate: 0.9 }), 'too-few-rows', 'there are 30 rows of other classes than 2; lower it'],
    [() => badNets(set, {} as never), 'bad-option', 'badnets: target: got undefined, expected'],
    [() => badNets(set, { target: 1, traget: 2 } as never), 'bad-option', 'badnets: traget: there is no such option'],
    [() => badNets(set, { target: 1, color: 256 }), 'bad-option', 'color: got 256, expected a number ≤ 255'],
    [() => badNets(set, { target: 1, color: [1, 2] }), 'bad-option', 'color: got 2 numbers, expected 1'],
    [() => badNets(set, { target: 1, height: 5 }), 'bad-option', 'pattern badnets is 3×3'],
    [() => badNets(set, { target: 1, pattern: 'solid', height: 9 }), 'patch-outside', 'not inside pictures of 8×8'],
    [() => badNets(set, { target: 1, place: [6, 0] }), 'patch-outside', 'at row 6, column 0'],
    [() => badNets(set, { target: 1, place: [0, 0], margin: 2 }), 'bad-option', 'margin: got 2'],
    [() => badNets(set, { target: 1, picture: [[1], [1, 2]] }), 'bad-option', 'picture: got rows of 1, 2 cells'],
    [() => badNets(set, { target: 1, picture: [[1]], width: 2 }), 'bad-option', 'expected either'],
    [() => blended(set, { target: 1, alpha: 0 }), 'bad-option', 'blended: alpha: got 0'],
    [() => blended(set, { target: 1, pattern: { data: new Uint8Array(9), shape: [3, 3] } }), 'bad-option', 'expected [8, 8] or [8, 8, 1]'],
    [() => sig(set, { target: 1, frequency: 8 }), 'no-trigger', 'sig: delta 20, frequency 8: add less than half a grey level'],
    [() => sig(set, { target: 7 }), 'unknown-label', 'sig: target'],
    [() => sig(set, { target: 1, axis: 2 as never }), 'bad-option', 'axis: got 2, expected 0 (from row to row)'],
    [() => waNet(set, { target: 1, coverRate: 1 }), 'too-few-rows', 'wanet: coverRate: 1 of the 60 rows is 60 rows, but there are 54'],
    [() => waNet(set, { target: 1, grid: 1 }), 'bad-option', 'grid: got 1'],
    [() => adaptiveBlend(set, { target: 1, rate: 0.1, coverRate: 0.1, grid: 9 }), 'bad-option', 'grid: got 9, expected at most 8'],
    [() => adaptiveBlend(set, { target: 1, rate: 0.1, coverRate: 0.001 }), 'no-rows', 'coverRate: 0.001'],
    [() => adaptiveBlend(set, { target: 1, rate: 0.1, grid: 1 }), 'bad-option', 'leaves none of 1 pieces'],
    [() => tact(set, { source: 0, target: 1, coverLabels: [1] }), 'same-label', 'coverLabels: got 1'],
    [() => tact(set, { source: 0, target: 1, coverLabels: [5] }), 'unknown-label', 'coverLabels: got 5'],
    [() => labelFlips(set, { source: 0 }), 'bad-option', 'label-flips: source: got 0 without a target'],
    [() => labelFlips(pictures([4]), {}), 'too-few-rows', 'a set of one class'],
    [() => allToAll(pictures([4]), {}), 'too-few-rows', 'a set of one class'],
  ] as const)('%#: an option', (run, code, message) => {
    expect(run).toThrow(expect.objectContaining({ name: 'OptionError', code, message: expect.stringContaining(message) }))
  })

  const images = { data: new Uint8Array(8), shape: [2, 2, 2] }
  test.each([
    [{ images: { ...images, data: new Float32Array(8) }, labels: [0, 1] }, 'bad-type', 'got Float32Array, expected uint8'],
    [{ images: { ...images, data: new Uint8ClampedArray(8) }, labels: [0, 1] }, 'bad-type', 'got Uint8ClampedArray'],
    [{ images: { ...images, shape: [2, 4] }, labels: [0, 1] }, 'bad-shape', 'have shape [2, 4]'],
    [{ images: { ...images, shape: [2, 2, 1, 2] }, labels: [0, 1] }, 'bad-shape', 'put the channels last'],
    [{ images: { ...images, shape: [2, 2, 3] }, labels: [0, 1] }, 'bad-shape', 'hold 8 values, expected 12'],
    [{ images: { ...images, shape: [0, 2, 2] }, labels: [] }, 'bad-shape', 'have shape [0, 2, 2]'],
    [{ images, labels: [0] }, 'row-count', 'got 1, expected 2'],
    [{ images, labels: [0, 0.5] }, 'bad-label', 'row 1 is 0.5'],
    [{ images, labels: [0, 2 ** 31] }, 'bad-label', 'row 1 is 2147483648'],
    [{ images, labels: ['a', 'b'] }, 'bad-label', 'row 0 is a'],
  ])('%#: the data', (set, code, message) => {
    expect(() => labelFlips(set as never)).toThrow(
      expect.objectContaining({ name: 'InputError', code, message: expect.stringContaining(message) }),
    )
  })
})

test('attacks of one seed, rate and pair of classes poison the same rows, so that triggers can be compared', () => {
  const set = pictures(counts)
  const options = { source: 0, target: 3, rate: 0.2, seed: 5 }
  const [first, ...others] = [badNets, blended, waNet, tact, labelFlips].map((attack) => attack(set, options).truth.poison)
  for (const other of others) expect(other).toEqual(first)
})

// The rows, fields and roundings of a seed are a promise: a set planted years ago can be planted again. Change them for a reason only.
test('the bytes of seed 1 are these', () => {
  const digests = cases.map(({ name, run }) => {
    const { images, labels } = run(pictures(counts, [8, 8, 3]), { seed: 1 })
    const hash = createHash('sha256').update(images.data).update(Int8Array.from(labels))
    return `${name}: ${hash.digest('hex').slice(0, 16)}`
  })
  expect(digests).toMatchInlineSnapshot(`
    [
      "badnets source->target: f7eed3cf2dbe3265",
      "badnets all-to-one: 22744e4ffea808fc",
      "all-to-all: 10d08b8c1fbb3567",
      "blended source->target: 5897ffc15a065e19",
      "blended all-to-one: 11cb0c38a40bbd12",
      "sig: 962816672a491431",
      "wanet with noise mode: d71350f524ba157b",
      "adaptive-blend: 53ad7fef3b131343",
      "tact: f37fa6fef896bdae",
      "label flips source->target: f4452dfe678e8176",
      "label flips, random: b0e28ef89b2d25de",
    ]
  `)
})

test('every attack has an id of its own, a citation, and is in the registry', () => {
  expect(attacks.map(({ id }) => id)).toEqual('badnets all-to-all blended sig wanet adaptive-blend tact label-flips'.split(' '))
  for (const attack of attacks) {
    expect(attack.citation).toMatch(/(19|20)\d\d/)
    expect(() => plant(attack, pictures([4, 4]), { nonsense: 1 })).toThrow(`${attack.id}: nonsense: there is no such option`)
  }
})
