import { describe, expect, it } from 'vitest'
import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { fittedRows } from '../../src/detectors/fitted-rows.js'
import { type CutClass, missingFrom, type SuspiciousSide, suspiciousSide } from '../../src/detectors/suspicious-side.js'
import { createContext } from '../../src/node.js'

/** Ten rows of the second class, among four of the first; those at odd places have the longer activations. */
const rowsOf = (label: number) => [...labels.keys()].filter((row) => labels[row] === label)
const labels = [5, 3, 5, 5, 5, 3, 5, 5, 3, 5, 5, 5, 3, 5]
const activations = {
  data: Float32Array.from(labels.keys(), (row) => (rowsOf(5).indexOf(row) % 2 ? -3 : 1)),
  rows: labels.length,
  cols: 1,
}
const sideOf = (isGroup: (i: number) => boolean) => Uint8Array.from({ length: 10 }, (_, i) => (isGroup(i) ? 1 : 0))

async function sideIn(input: Partial<ActivationSetInput>, cut: Partial<CutClass>): Promise<SuspiciousSide> {
  using context = await createContext({ backend: 'cpu' })
  using set = await DeviceSet.upload(context, toActivationSet({ activations, labels, ...input }))
  return await suspiciousSide(set, { classIndex: 1, side: sideOf(() => false), fitted: fittedRows(set, 100), missingFrom: null, ...cut })
}

/** Logits in `cols` columns that are `high` in `column` for the rows of class 5 at even places, 0 elsewhere. */
function logits(cols: number, column: number, high = 9): ActivationSetInput['logits'] {
  const data = new Float32Array(labels.length * cols)
  for (const [i, row] of rowsOf(5).entries()) if (i % 2 === 0) data[row * cols + column] = high
  return { data, rows: labels.length, cols }
}

const even = sideOf((i) => i % 2 === 0)
const odd = sideOf((i) => i % 2 === 1)
const surer = { because: 'the model is surer of it', isKnown: false }

describe('the suspicious side', () => {
  it('is the one that trusted rows are missing from, where they tell', async () => {
    const known = { because: 'trusted rows are missing from it', isKnown: true }
    const large = sideOf((i) => i < 8)
    expect(await sideIn({}, { side: large, missingFrom: 'group' })).toEqual({ isGroup: true, ...known })
    expect(await sideIn({}, { side: sideOf((i) => i < 2), missingFrom: 'rest' })).toEqual({ isGroup: false, ...known })
  })

  it('trusted rows tell by a binomial test: (1 − share)^rows below 5 % for none in the group', () => {
    expect(missingFrom({ rows: 13, inGroup: 0, share: 0.2 })).toBeNull() // 0.8^13 = 0.055
    expect(missingFrom({ rows: 14, inGroup: 0, share: 0.2 })).toBe('group') // 0.044
    expect(missingFrom({ rows: 3, inGroup: 3, share: 0.3 })).toBe('rest') // 0.3^3 = 0.027
    expect(missingFrom({ rows: 0, inGroup: 0, share: 0.2 })).toBeNull()
  })

  it('is the smaller one otherwise', async () => {
    const smaller = { because: 'it is the smaller one', isKnown: false }
    expect(await sideIn({}, { side: sideOf((i) => i < 3) })).toEqual({ isGroup: true, ...smaller })
    expect(await sideIn({}, { side: sideOf((i) => i < 7) })).toEqual({ isGroup: false, ...smaller })
  })

  it('near half is the one with the larger activations, where there are no logits', async () => {
    const larger = { because: 'its activations are larger', isKnown: false }
    expect(await sideIn({}, { side: odd })).toEqual({ isGroup: true, ...larger })
    expect(await sideIn({}, { side: even })).toEqual({ isGroup: false, ...larger })
  })

  it('near half is told by the rows that were fitted on alone, where they were drawn', async () => {
    using context = await createContext({ backend: 'cpu' })
    using set = await DeviceSet.upload(context, toActivationSet({ activations, labels }))
    const fitted = fittedRows(set, 6)
    const drawn = fitted.positionsOf(1) as Uint32Array
    const isLonger = (position: number) => (activations.data[set.set.order[position] as number] as number) < 0
    const side = Uint8Array.from(drawn, (position) => (isLonger(position) ? 1 : 0))
    expect([6, Math.abs(side.reduce((sum, value) => sum + value, 0) - 3)]).toEqual([drawn.length, expect.toSatisfy((off) => off <= 1)])
    const cut = { classIndex: 1, fitted, missingFrom: null }
    expect(await suspiciousSide(set, { ...cut, side })).toMatchObject({ isGroup: true, because: 'its activations are larger' })
    expect(await suspiciousSide(set, { ...cut, side: side.map((value) => 1 - value) })).toMatchObject({ isGroup: false })
  })

  it('near half is the smaller one, or the group, where nothing else tells', async () => {
    const flat = { ...activations, data: new Float32Array(labels.length).fill(2) }
    expect(await sideIn({ activations: flat }, { side: even })).toMatchObject({ isGroup: true, because: 'it is the smaller one' })
    expect(await sideIn({ activations: flat }, { side: sideOf((i) => i < 6) })).toMatchObject({ isGroup: false })
  })

  it('near half is the one that the model is surer of, by the logit of the class', async () => {
    // Six columns: column 5 is label 5's. Two columns: the second is the second class's.
    for (const given of [logits(6, 5), logits(2, 1)]) {
      expect(await sideIn({ logits: given }, { side: even })).toEqual({ isGroup: true, ...surer })
      expect(await sideIn({ logits: given }, { side: odd })).toEqual({ isGroup: false, ...surer })
    }
    expect(await sideIn({ logits: logits(6, 5, -9) }, { side: even })).toEqual({ isGroup: false, ...surer })
    // With as many columns as 4 no column is the class's: its activations decide.
    expect(await sideIn({ logits: logits(4, 1) }, { side: even })).toMatchObject({ because: 'its activations are larger' })
  })

  it('reads the class’s own logit where labels count from 1, and not the next one’s', async () => {
    const fromOne = labels.map((label) => (label === 5 ? 1 : 2))
    expect(await sideIn({ labels: fromOne, logits: logits(2, 0) }, { classIndex: 0, side: even })).toEqual({ isGroup: true, ...surer })
  })
})
