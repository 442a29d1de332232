import { describe, expect, test } from 'vitest'
import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import { InputError } from '../../src/core/errors.js'
import type { LabelsInput } from '../../src/core/labels.js'

const ones = (rows: number, cols = 2) => ({ data: new Float32Array(rows * cols).fill(1), rows, cols })
const of = (labels: LabelsInput, rest: Partial<ActivationSetInput> = {}) =>
  toActivationSet({ activations: ones(labels.length), labels, ...rest })
const refusal = (input: unknown): InputError => {
  try {
    toActivationSet(input as ActivationSetInput)
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('classes', () => {
  test('are sorted by label, rows listed class by class in their own order', () => {
    const set = of(Int32Array.of(7, -1, 7, 100, -1, 7))
    expect(set.classes).toEqual([
      { label: -1, name: '-1', rows: 2 },
      { label: 7, name: '7', rows: 3 },
      { label: 100, name: '100', rows: 1 },
    ])
    expect([...set.classOf]).toEqual([1, 0, 1, 2, 0, 1])
    expect([...set.order]).toEqual([1, 4, 0, 2, 5, 3])
    expect([...set.starts]).toEqual([0, 2, 5, 6])
  })

  test('with labels of both kinds: numbers by value first, then strings', () => {
    const set = of(['b', 10, 9, 'a', '10', 9] as unknown as LabelsInput)
    expect(set.classes.map(({ label }) => label)).toEqual([9, 10, '10', 'a', 'b'])
    expect([...set.order]).toEqual([2, 5, 1, 4, 3, 0])
  })

  test('form a segment table that is a stable permutation, for any labels', () => {
    const labels = Array.from({ length: 500 }, (_, i) => (i * i * 31) % 17)
    const set = of(labels)
    expect([...set.order].sort((a, b) => a - b)).toEqual(labels.map((_, i) => i))
    set.classes.forEach(({ label, rows }, c) => {
      const members = [...set.order.subarray(set.starts[c], set.starts[c + 1])]
      expect(members).toEqual(labels.flatMap((own, row) => (own === label ? [row] : [])))
      expect(members).toHaveLength(rows)
      for (const row of members) expect(set.classOf[row]).toBe(c)
    })
  })

  test('take their names from a list by label or from a record, else from the label', () => {
    const names = (classNames: ActivationSetInput['classNames'], labels: LabelsInput) =>
      of(labels, { classNames }).classes.map(({ name }) => name)
    expect(names(['zero', 'one'], [1, 0, 2])).toEqual(['zero', 'one', '2'])
    expect(names({ 1: 'one', stop: 'Stop sign' }, ['stop', '1', 'go'])).toEqual(['one', 'go', 'Stop sign'])
    expect(names({}, ['constructor', '__proto__', 'length'])).toEqual(['__proto__', 'constructor', 'length'])
    expect(names(['a'], ['length'])).toEqual(['length'])
  })
})

test('predictions and trusted labels that are no class of the set get −1', () => {
  const set = of([0, 1, 1], {
    predictions: [1, 5, 0],
    logits: { data: [1, 2, 3, 4, 5, 6], rows: 3, cols: 2 },
    trusted: { activations: ones(2), labels: [1, 9] },
  })
  expect([...(set.predictions as Int32Array)]).toEqual([1, -1, 0])
  expect(set.logits).toMatchObject({ rows: 3, cols: 2 })
  expect(Array.from(set.trusted?.classOf ?? [])).toEqual([1, -1])
})

test('what was not given is null', () => {
  expect(of([0])).toMatchObject({ predictions: null, logits: null, trusted: null, origin: null })
})

test('nothing that was passed in is changed, and dense float32 activations are not copied', () => {
  const input = {
    activations: { data: Float32Array.of(5, 4, 3, 2, 1, 0), rows: 3, cols: 2 },
    labels: Int32Array.of(2, 0, 2),
    predictions: [2, 2, 0],
    classNames: ['a'],
  }
  const before = structuredClone(input)
  const set = toActivationSet(Object.freeze(input))
  expect(input).toEqual(before)
  expect(set.activations.inMemory?.data.buffer).toBe(input.activations.data.buffer)
})

describe('refusals', () => {
  test('every array that is wrong is named at once', () => {
    const error = refusal({
      activations: { data: new Float32Array(7), rows: 3, cols: 2 },
      labels: [0.5],
      predictions: 'no',
      logits: { data: [Number.NaN], rows: 1, cols: 1 },
      trusted: { activations: null, labels: [null] },
    })
    expect(error.code).toBe('bad-shape')
    const lines = error.message.split('\n')
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'activations',
      'labels',
      'predictions',
      'logits',
      'trusted activations',
      'trusted labels',
    ])
    expect((error.details.problems as { code: string }[]).map(({ code }) => code)).toEqual([
      'bad-shape',
      'bad-label',
      'bad-type',
      'not-finite',
      'bad-type',
      'bad-label',
    ])
  })

  test('every row count that does not fit is named at once', () => {
    const error = refusal({
      activations: ones(3),
      labels: [0, 1],
      predictions: [0],
      logits: ones(4),
      trusted: { activations: ones(2, 3), labels: [0] },
    })
    expect(error.code).toBe('row-count')
    expect(error.message.split('\n')).toEqual([
      'labels: got 2 rows, expected 3, one for each row of activations',
      'predictions: got 1 rows, expected 3, one for each row of activations',
      'logits: got 4 rows, expected 3, one for each row of activations',
      'trusted labels: got 1 rows, expected 2, one for each row of trusted activations',
      'trusted activations: got 3 features, expected 2, as in activations',
    ])
  })

  test('a set without rows or without features is empty', () => {
    expect(refusal({ activations: ones(0), labels: [] }).code).toBe('empty')
    expect(refusal({ activations: ones(3, 0), labels: [0, 0, 0] }).message).toContain('got 3 rows of 0 features')
  })

  test.each([null, undefined, 5, 'x', {}, { activations: ones(1) }, { labels: [1] }])('%o misses arrays', (input) => {
    expect(refusal(input).code).toBe('missing-array')
  })

  test('undefined arrays are refused, not skipped', () => {
    expect(refusal({ activations: undefined, labels: undefined }).message.split('\n')).toHaveLength(2)
    expect(refusal({ activations: ones(1), labels: [0], predictions: null }).code).toBe('bad-type')
    expect(refusal({ activations: ones(1), labels: [0], predictions: '' }).code).toBe('bad-type')
  })
})
