import ndarray from 'ndarray'
import { describe, expect, it } from 'vitest'
import type { ActivationSetInput, RowImages } from '../../src/core/activation-set.js'
import { toActivationSet } from '../../src/core/activation-set.js'
import { InputError, OptionError } from '../../src/core/errors.js'
import type { LabelsInput } from '../../src/core/labels.js'
import { toLabels } from '../../src/core/labels.js'
import type { MatrixInput, NumberArray } from '../../src/core/matrix.js'
import { Rng } from '../../src/core/rng.js'
import type { Report } from '../../src/report/schema.js'
import { sanitizeRecordSchema } from '../../src/sanitize/record-schema.js'
import { sanitize } from '../../src/sanitize/sanitize.js'
import { readSet } from '../support/collect-rows.js'
import { reportOn } from './hand-made-report.js'

const labels = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
const rows = labels.length
const cols = 3
const values = Array.from({ length: rows * cols }, (_, i) => i - 7)
const dense = (data: NumberArray = Float32Array.from(values)) => ({ data, rows, cols })
const small = (rest: Partial<ActivationSetInput> = {}): ActivationSetInput => ({ activations: dense(), labels, ...rest })
const rowsOf = (data: NumberArray, keep: readonly number[]) =>
  keep.flatMap((row) => Array.from({ length: cols }, (_, col) => data[row * cols + col]))
/** Rows 6 and 4 of class 1, taken from class 0; class 2 is undecided. */
const accused = (input: ActivationSetInput) =>
  reportOn(input, [
    { label: 1, source: 0, rows: [6, 4] },
    { label: 2, verdict: 'inconclusive', rows: [8] },
  ])
const kept = [0, 1, 2, 3, 5, 7, 8, 9]

describe('which rows go', () => {
  it('takes out the flagged rows, keeps undecided classes, and keeps the order', async () => {
    const input = small()
    const { keep, drop, relabelled, set, record } = await sanitize(input, await accused(input))
    expect({ keep: [...keep], drop: [...drop], relabelled }).toEqual({ keep: kept, drop: [4, 6], relabelled: [] })
    expect(set).toEqual({
      activations: { data: Float32Array.from(rowsOf(values, kept)), rows: 8, cols },
      labels: [0, 0, 0, 1, 1, 2, 2, 2],
    })
    expect(record).toMatchObject({ outcome: 'cleaned', options: { remove: 'flagged', relabel: false }, output: { rows: 8 } })
    expect(record.undecided).toEqual([{ label: 2, name: '2', verdict: 'inconclusive', rows: 3, flagged: 1 }])
    expect(record.removed).toEqual([
      { row: 4, label: 1, reasons: ['by-hand: row 4 stands apart'] },
      { row: 6, label: 1, reasons: ['by-hand: row 6 stands apart'] },
    ])
  })

  it('takes out whole classes that are accused', async () => {
    const input = small()
    const report = await reportOn(input, [
      { label: 1, verdict: 'suspicious', rows: [4] },
      { label: 2, verdict: 'multimodal' },
    ])
    const { drop, record } = await sanitize(input, report, { remove: 'class' })
    expect([...drop]).toEqual([3, 4, 5, 6])
    expect(record.removed.map(({ reasons }) => reasons)).toEqual(
      [3, 4, 5, 6].map((row) => [
        ...(row === 4 ? ['by-hand: row 4 stands apart'] : []),
        'its class is suspicious, and all rows of such classes are removed',
      ]),
    )
    expect(record.classes[1]).toEqual({
      ...{ label: 1, name: '1', verdict: 'suspicious', rowsBefore: 4, removed: 4, relabelled: 0, gained: 0, rowsAfter: 0 },
    })
  })

  it('relabels flagged rows where the source class is known, and takes out the others', async () => {
    const input = small()
    const report = await reportOn(input, [
      { label: 0, source: 1, rows: [2, 0] },
      { label: 2, verdict: 'suspicious', rows: [9] },
    ])
    const { keep, drop, relabelled, set, record } = await sanitize(input, report, { relabel: true })
    expect([...drop]).toEqual([9])
    expect([...keep]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(relabelled).toEqual([
      { row: 0, from: 0, to: 1 },
      { row: 2, from: 0, to: 1 },
    ])
    expect(set.labels).toEqual([1, 0, 1, 1, 1, 1, 1, 2, 2])
    expect(record.classes.map(({ removed, relabelled, gained, rowsAfter }) => [removed, relabelled, gained, rowsAfter])).toEqual([
      [0, 2, 0, 1],
      [0, 0, 2, 6],
      [1, 0, 0, 2],
    ])
    expect(record.relabelled[0]).toEqual({ row: 0, from: 0, to: 1, reasons: ['by-hand: row 0 stands apart'] })
  })

  it.each([[{}], [{ remove: 'class' }], [{ relabel: true }]] as const)(
    'changes nothing where the report is inconclusive: %j',
    async (options) => {
      const input = small()
      const report = await reportOn(input, [{ label: 1, verdict: 'inconclusive', source: 0, rows: [4] }])
      expect(report.verdict).toBe('inconclusive')
      const { keep, drop, set, record } = await sanitize(input, report, options)
      expect([keep.length, drop.length, record.relabelled.length]).toEqual([rows, 0, 0])
      expect(set).toBe(input)
      expect(record).toMatchObject({ outcome: 'undecided', undecided: [{ label: 1, rows: 4, flagged: 1 }] })
    },
  )

  it('changes nothing where a class is accused and none of its rows flagged, but by class', async () => {
    const input = small()
    const report = await reportOn(input, [
      { label: 0, rows: [1] },
      { label: 1, verdict: 'suspicious' },
    ])
    for (const options of [{}, { relabel: true }]) {
      const { set, record } = await sanitize(input, report, options)
      expect(set).toBe(input)
      expect(record).toMatchObject({ outcome: 'undecided', undecided: [{ label: 1, verdict: 'suspicious', rows: 4, flagged: 0 }] })
    }
    const { drop, record } = await sanitize(input, report, { remove: 'class' })
    expect([...drop]).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(record).toMatchObject({ outcome: 'cleaned', undecided: [] })
  })

  it('returns the input itself where the report is clean', async () => {
    const input = small()
    const { set, drop, record } = await sanitize(input, await reportOn(input, []))
    expect(set).toBe(input)
    expect(drop).toEqual(new Uint32Array(0))
    expect(record).toMatchObject({ outcome: 'unchanged', undecided: [] })
  })

  it('splits all rows in two, sorted, and the record adds up, whatever is flagged', async () => {
    const rng = new Rng(3, 'sanitize')
    for (let trial = 0; trial < 40; trial++) {
      const n = 20 + Math.floor(rng.float() * 40)
      const own = Int32Array.from({ length: n }, () => Math.floor(rng.float() * 4))
      own.set([0, 1, 2, 3])
      const data = Float32Array.from({ length: n * 2 }, () => rng.float())
      const input = { activations: { data, rows: n, cols: 2 }, labels: own }
      const flagged = (label: number) => [...own.keys()].filter((row) => own[row] === label && rng.float() < 0.4).reverse()
      const report = await reportOn(input, [
        { label: 1, source: 3, rows: flagged(1) },
        { label: 2, verdict: 'suspicious', rows: flagged(2) },
      ])
      for (const options of [{}, { remove: 'class' as const }, { relabel: true }]) {
        const { keep, drop, relabelled, set, record } = await sanitize(input, report, options)
        expect([...keep, ...drop].sort((a, b) => a - b)).toEqual([...own.keys()])
        expect(keep.every((row, at) => at === 0 || row > (keep[at - 1] as number))).toBe(true)
        expect(drop.every((row, at) => at === 0 || row > (drop[at - 1] as number))).toBe(true)
        const to = new Map(relabelled.map((entry) => [entry.row, entry.to]))
        expect([...(set.labels as Int32Array)]).toEqual([...keep].map((row) => to.get(row) ?? own[row]))
        const picked = (set.activations as { data: Float32Array }).data
        expect(picked).toEqual(Float32Array.from([...keep].flatMap((row) => [...data.subarray(2 * row, 2 * row + 2)])))
        expect(sanitizeRecordSchema.parse(record)).toEqual(record)
        const after = toLabels(set.labels, 'labels')
        for (const entry of record.classes) expect(after.filter((label) => label === entry.label)).toHaveLength(entry.rowsAfter)
      }
    }
  })
})

describe('what the cleaned set is made of', () => {
  const types: readonly (readonly [string, NumberArray])[] = [
    ['Float32Array', Float32Array.from(values)],
    ['Float64Array', Float64Array.from(values, (value) => value + 0.1)],
    ['Uint16Array', Uint16Array.from(values, (_, i) => 0x3c00 + i)],
    ['Int8Array', Int8Array.from(values)],
    ['Array', values],
  ]
  it.each(types)('activations and logits as %s', async (_, data) => {
    const input = small({ activations: dense(data), logits: dense(data) })
    const { set } = await sanitize(input, await accused(input))
    const expected = (data.constructor as unknown as typeof Float32Array).from(rowsOf(data, kept) as number[])
    for (const matrix of [set.activations, set.logits]) expect(matrix).toStrictEqual({ data: expected, rows: 8, cols })
  })

  it('64-bit activations, and views that do not begin at their buffer', async () => {
    const whole = BigInt64Array.from([99, ...values], BigInt)
    const input = small({ activations: { data: whole.subarray(1) as unknown as NumberArray, rows, cols } })
    const { set } = await sanitize(input, await accused(input))
    expect((set.activations as { data: unknown }).data).toEqual(BigInt64Array.from(rowsOf(values, kept) as number[], BigInt))
  })

  it('strided ndarrays, as dense ones of the same type', async () => {
    const view = ndarray(Float64Array.from(values), [cols, rows]).transpose(1, 0)
    const input = small({ activations: view as MatrixInput })
    const { set } = await sanitize(input, await accused(input))
    const matrix = set.activations as unknown as { data: Float64Array; shape: number[] }
    expect(matrix.data).toBeInstanceOf(Float64Array)
    const expected = kept.flatMap((row) => [0, 1, 2].map((col) => view.get(row, col)))
    expect({ ...matrix, data: [...matrix.data] }).toEqual({ data: expected, shape: [8, cols], stride: [cols, 1], offset: 0 })
    expect([...(toActivationSet(set).activations.inMemory?.data ?? [])]).toEqual(expected)
  })

  const labelTypes: readonly (readonly [string, LabelsInput, readonly (string | number)[]])[] = [
    ['numbers', labels, [0, 1, 2]],
    ['Uint8Array', Uint8Array.from(labels), [0, 1, 2]],
    ['BigInt64Array', BigInt64Array.from(labels, BigInt), [0, 1, 2]],
    [
      'large integers',
      BigInt64Array.from(labels, (label) => 2n ** 60n + BigInt(label)),
      [0, 1, 2].map((k) => String(2n ** 60n + BigInt(k))),
    ],
    ['strings', labels.map((label) => `c${label}`), ['c0', 'c1', 'c2']],
  ]
  it.each(labelTypes)('labels and predictions as %s', async (_, own, names) => {
    const input = small({ labels: own, predictions: own })
    const report = await reportOn(input, [
      { label: names[1] as string, source: names[0] as string, rows: [4] },
      { label: names[2] as string, rows: [9] },
    ])
    const { set } = await sanitize(input, report, { relabel: true })
    const rest = [0, 1, 2, 3, 4, 5, 6, 7, 8]
    const expected = rest.map((row) => own[row === 4 ? 0 : row])
    expect(set.labels.constructor).toBe(own.constructor)
    expect(Array.from(set.labels as ArrayLike<unknown>)).toEqual(expected)
    expect(Array.from(set.predictions as ArrayLike<unknown>)).toEqual(rest.map((row) => own[row]))
  })

  it('texts and pictures of the rows that are kept, trusted rows and names as they were', async () => {
    const read = async (index: number) => ({ kind: 'encoded' as const, mediaType: 'image/png', data: Uint8Array.of(index) })
    const some: RowImages = { count: 4, rows: [9, 4, 0, 6], read }
    const trusted = { activations: { data: new Float32Array(2 * cols), rows: 2, cols }, labels: [0, 1] }
    const input = small({ texts: labels.map((_, row) => `row ${row}`), images: some, trusted, classNames: ['a', 'b', 'c'] })
    const { set } = await sanitize(input, await accused(input))
    expect(set.texts).toEqual(kept.map((row) => `row ${row}`))
    expect(set.trusted).toBe(trusted)
    expect(set.classNames).toBe(input.classNames)
    expect(set.images).toMatchObject({ count: 2, rows: Uint32Array.of(7, 0) })
    expect((await set.images?.read(0))?.data).toEqual(Uint8Array.of(0))
    expect((await set.images?.read(1))?.data).toEqual(Uint8Array.of(2))
    await expect(set.images?.read(2)).rejects.toThrow(RangeError)
    const all = small({ images: { count: rows, rows: null, read } })
    const { images } = (await sanitize(all, await accused(all))).set
    expect(images).toMatchObject({ count: 8, rows: null })
    expect((await images?.read(5))?.data).toEqual(Uint8Array.of(7))
  })

  it.each([1, 2, 3, 4, 7, 10, 100])('row blocks of %d rows, filtered as they come', async (size) => {
    let passes = 0
    const data = Float64Array.from(values)
    const blocks = function* () {
      passes++
      for (let row = 0; row < rows; row += size) yield data.subarray(row * cols, (row + size) * cols)
    }
    const input = small({ activations: { rows, cols, blocks } })
    const report = await accused(input)
    passes = 0
    const { set } = await sanitize(input, report)
    expect(passes).toBe(1)
    const filtered = set.activations as unknown as { rows: number; blocks(rows: number): AsyncIterable<Float64Array> }
    expect(filtered.rows).toBe(8)
    const got: number[] = []
    for await (const block of filtered.blocks(size)) {
      expect(block).toBeInstanceOf(Float64Array)
      expect(block.length).toBeLessThanOrEqual(size * cols)
      got.push(...block)
    }
    expect(got).toEqual(rowsOf(values, kept))
    expect((await readSet(set)).values).toEqual(Float32Array.from(got))
  })

  it('row blocks that are not what was declared in a later pass are refused', async () => {
    let given = values
    const input = small({
      activations: {
        rows,
        cols,
        *blocks() {
          yield Float32Array.from(given)
        },
      },
    })
    const { set } = await sanitize(input, await accused(input))
    const pass = async () => {
      for await (const _ of (set.activations as { blocks(rows: number): AsyncIterable<NumberArray> }).blocks(4));
    }
    await expect(pass()).resolves.toBeUndefined()
    for (const wrong of [[...values, 1, 2, 3], values.slice(1), values.slice(3)]) {
      given = wrong
      await expect(pass()).rejects.toMatchObject({ code: 'bad-shape' })
    }
  })

  it('changes nothing that was passed in', async () => {
    const input = small({ labels: Int32Array.from(labels), predictions: Int32Array.from(labels) })
    const report = await accused(input)
    const before = structuredClone({ input, report })
    await sanitize(input, report, { relabel: true })
    expect({ input, report }).toEqual(before)
  })
})

describe('a report of other data is refused', () => {
  const refused = async (input: ActivationSetInput, report: Report) => {
    const error = await sanitize(input, report).catch((reason) => reason)
    expect(error).toBeInstanceOf(InputError)
    return error as InputError
  }

  it('by rows, features and classes, all said at once', async () => {
    const other = { activations: { data: new Float32Array(8), rows: 4, cols: 2 }, labels: [0, 0, 1, 1] }
    const error = await refused(small(), await reportOn(other, []))
    expect(error.code).toBe('wrong-report')
    expect(error.message).toMatch(/is of 4 rows, but the set has 10.*\n.*2 features, but the set has 3.*\n.*2 classes, but the set has 3/)
    expect(error.message).toContain('give the report of an audit of this very data, or audit it anew')
  })

  it('by the labels and sizes of its classes', async () => {
    const report = await accused(small())
    const shifted = [...labels.slice(1), 2]
    const error = await refused(small({ labels: shifted }), report)
    expect(error).toMatchObject({ code: 'wrong-report' })
    expect(error.message).toContain('has class 0 with 3 rows where the set has class 0 with 2 rows')
    expect((await refused(small({ labels: labels.map(String) }), report)).code).toBe('wrong-report')
  })

  it('by its digest, in memory and in blocks: one value, or two labels that changed places, are enough', async () => {
    const report = await accused(small())
    const changed = Float32Array.from(values)
    changed[29] = 0.5
    const swapped = [...labels]
    swapped[0] = 1
    swapped[3] = 0
    for (const input of [
      small({ activations: dense(changed) }),
      small({ labels: swapped }),
      small({ activations: { rows, cols, blocks: () => [changed] } }),
    ]) {
      const error = await refused(input, report)
      expect(error.code).toBe('wrong-report')
      expect(error.message).toMatch(/^report: is of other data: its digest is [0-9a-f]{16}…, but the set's is [0-9a-f]{16}…; /)
    }
    const same = small({ activations: { rows, cols, blocks: () => [Float32Array.from(values)] } })
    expect((await sanitize(same, report)).drop).toHaveLength(2)
  })

  it('by the digest of its files, which arrays alone have not', async () => {
    const origin = { digest: 'ab'.repeat(32), files: [{ name: 'a.npy', sha256: 'cd'.repeat(32) }], readMs: 0 }
    const report = await accused(small({ origin }))
    expect((await sanitize(small({ origin: async () => origin }), report)).drop).toHaveLength(2)
    expect((await refused(small({ origin: { ...origin, digest: 'ef'.repeat(32) } }), report)).message).toContain('is of other data')
    expect((await refused(small(), report)).message).toContain('is of files, but the set is of arrays')
  })

  it('where it contradicts itself or is no report', async () => {
    const report = await accused(small())
    const wrong: [Report, string][] = [
      [{ ...report, verdict: 'clean' }, 'its verdict is clean, but a class is poisoned'],
      [{ ...report, verdict: 'suspicious' }, 'its verdict is suspicious, but a class is poisoned'],
      [{ ...(await reportOn(small(), [])), verdict: 'poisoned' }, 'its verdict is poisoned, but no class is accused'],
      [await reportOn(small(), [{ label: 1, source: 1 }]), 'class 1 has the source class 1, expected another class of the set'],
      [await reportOn(small(), [{ label: 1, source: 7 }]), 'class 1 has the source class 7'],
      [{ ...report, rows: { ...report.rows, flagged: [4, 4] } }, 'expected flagged to be unique'],
      [{ ...report, schemaVersion: 2 } as unknown as Report, 'is no report that this version reads'],
      [null as unknown as Report, 'is no report that this version reads'],
    ]
    for (const [given, message] of wrong) {
      const error = await refused(small(), given)
      expect(error.code).toBe('bad-report')
      expect(error.message).toContain(message)
    }
    const outside = { ...report, rows: { flagged: [10], reasons: [[]], probability: null } }
    expect((await refused(small(), outside)).message).toContain('flags row 10, but the set has the rows 0 … 9')
  })
})

describe('options', () => {
  it.each([
    [{ remove: 'all' }, 'sanitize: remove: got "all", expected one of flagged, class'],
    [{ relable: true }, 'relable: there is no such option'],
    [{ remove: 'flagged', relabel: true }, 'got both remove and relabel'],
  ])('%j is refused', async (options, message) => {
    const input = small()
    const error = await sanitize(input, await accused(input), options as never).catch((reason) => reason)
    expect(error).toBeInstanceOf(OptionError)
    expect(error.message).toContain(message)
  })

  it('refuses to leave nothing', async () => {
    const input = { activations: dense(), labels: new Int32Array(rows) }
    const report = await reportOn(input, [{ label: 0, rows: [1] }])
    await expect(sanitize(input, report, { remove: 'class' })).rejects.toMatchObject({ code: 'nothing-left' })
  })

  it('an abort throws its reason', async () => {
    const report = await accused(small())
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(sanitize(small(), report, { signal: aborted })).rejects.toThrow('enough')
    const controller = new AbortController()
    const blocks = function* () {
      controller.abort(new Error('in a pass'))
      yield Float32Array.from(values)
    }
    const input = small({ activations: { rows, cols, blocks } })
    await expect(sanitize(input, report, { signal: controller.signal })).rejects.toThrow('in a pass')
  })
})
