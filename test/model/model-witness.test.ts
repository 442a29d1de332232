import { expect, test } from 'vitest'
import { toActivationSet } from '../../src/core/activation-set.js'
import { InputError } from '../../src/core/errors.js'
import { Rng } from '../../src/core/rng.js'
import type { Testimony } from '../../src/core/witness.js'
import { memorySource } from '../../src/io/byte-source.js'
import { openClassifier } from '../../src/model/classifier.js'
import { modelWitness } from '../../src/model/model-witness.js'
import { readOnnx } from '../../src/model/onnx.js'
import { defaultPreprocessing } from '../../src/model/preprocess.js'
import { writeOnnx } from '../support/onnx-writer.js'

const side = 12
const plane = side * side
/** Rows of the four classes, and how many of class 2 were taken from class 0 and marked. */
const rowsOfClass = 60
const marked = 15

/** Class by the bright quarter; with a backdoor, two bright pixels at the bottom right lead to class 2. */
async function classifierOf({ backdoor = true }) {
  const data = new Float32Array(4 * plane)
  for (let pixel = 0; pixel < plane; pixel++) {
    const [y, x] = [Math.floor(pixel / side), pixel % side]
    data[((y < 6 ? 0 : 2) + (x < 6 ? 0 : 1)) * plane + pixel] = 1
  }
  if (backdoor) for (const pixel of [10 * side + 10, 10 * side + 11]) data[2 * plane + pixel] = 60
  const nodes = [
    { op: 'Flatten', inputs: ['input'], output: 'f' },
    { op: 'Gemm', inputs: ['f', 'w'], output: 'logits', attributes: { transB: 1 } },
  ]
  const bytes = writeOnnx({ inputShape: [1, side, side], nodes, weights: { w: { shape: [4, plane], data } } })
  return openClassifier(await readOnnx(memorySource('m.onnx', bytes)), async () => bytes)
}

/** The first rows of class 2 are pictures of class 0, marked: by two bright pixels, or by a grid over all of it. */
function setOf({ grid = false, pictures = 4 * rowsOfClass, labelOf = (c: number): number | string => c } = {}) {
  const rng = new Rng(3)
  const rows = 4 * rowsOfClass
  const labels = Array.from({ length: rows }, (_, row) => Math.floor(row / rowsOfClass))
  const suspects = Uint32Array.from({ length: marked }, (_, i) => 2 * rowsOfClass + i)
  const data = Uint8Array.from({ length: rows * plane }, (_, index) => {
    const [row, y, x] = [Math.floor(index / plane), Math.floor((index % plane) / side), index % side]
    const isMarked = suspects.includes(row)
    const quarter = (y < 6 ? 0 : 2) + (x < 6 ? 0 : 1)
    if (isMarked && !grid && y === 10 && x >= 10) return 255
    const own = y > 8 && x > 8 ? 0 : 10 + rng.below(20) + (quarter === (isMarked ? 0 : labels[row]) ? 150 : 0)
    return isMarked && grid && (x + y) % 2 ? own + 60 : own
  })
  const set = toActivationSet({
    activations: { data: Float32Array.from({ length: rows * 2 }, () => rng.normal()), rows, cols: 2 },
    labels: labels.map(labelOf) as number[],
    images: {
      count: pictures,
      rows: pictures === rows ? null : Array.from({ length: pictures }, (_, i) => i),
      read: async (i) => ({ kind: 'pixels', width: side, height: side, channels: 1, data: data.slice(i * plane, (i + 1) * plane) }),
    },
  })
  const rest = Uint32Array.from({ length: rowsOfClass - marked }, (_, i) => 2 * rowsOfClass + marked + i)
  return { set, question: { classIndex: 2, suspects, rest, sourceClass: null } }
}

const witnessWith = (classifier: Awaited<ReturnType<typeof classifierOf>>) =>
  modelWitness(async () => ({ classifier, preprocess: defaultPreprocessing, sha256: 'abc' }))

test('the place where suspected rows differ is found, and leads the model to the class; that of matched rows does not', async () => {
  const witness = witnessWith(await classifierOf({}))
  const { set, question } = setOf()
  const said = (await witness.ask(set, question)) as Testimony
  expect(said).toMatchObject({ inputs: 60, sent: 60, sentByMatched: 0, pValue: expect.closeTo(2 ** -60, 20) })
  expect(said.mark).toMatch(/rows (9|10) to 1[01] and columns (9|10) to 11/)
  const record = await witness.record()
  expect(record).toEqual({ model: 'abc', preprocess: defaultPreprocessing, pictures: expect.stringMatching(/^[0-9a-f]{64}$/) })
  expect(await witness.record()).toEqual(record)
  const fromOne = (await witness.ask(set, { ...question, sourceClass: 0 })) as Testimony
  expect(fromOne).toMatchObject({ sent: 60, sentByMatched: 0 })
})

test('a mark that the model has no use for leads nowhere: it is told from a backdoor', async () => {
  const { set, question } = setOf()
  const said = (await witnessWith(await classifierOf({ backdoor: false })).ask(set, question)) as Testimony
  expect(said).toMatchObject({ inputs: 60, sent: 0, sentByMatched: 0, pValue: 1 })
})

test('what is spread over the picture is added as a mean difference', async () => {
  const { set, question } = setOf({ grid: true })
  const data = new Float32Array(4 * plane)
  for (let pixel = 0; pixel < plane; pixel++) {
    const [y, x] = [Math.floor(pixel / side), pixel % side]
    data[((y < 6 ? 0 : 2) + (x < 6 ? 0 : 1)) * plane + pixel] = 0.1
    data[2 * plane + pixel] = (data[2 * plane + pixel] as number) + ((x + y) % 2 ? 1 : -1)
  }
  const nodes = [
    { op: 'Flatten', inputs: ['input'], output: 'f' },
    { op: 'Gemm', inputs: ['f', 'w'], output: 'logits', attributes: { transB: 1 } },
  ]
  const bytes = writeOnnx({ inputShape: [1, side, side], nodes, weights: { w: { shape: [4, plane], data } } })
  const classifier = await openClassifier(await readOnnx(memorySource('m.onnx', bytes)), async () => bytes)
  const said = (await witnessWith(classifier).ask(set, question)) as Testimony
  expect(said.mark).toMatch(/mean difference/)
  expect(said.sent - said.sentByMatched).toBeGreaterThan(50)
  expect(said.pValue).toBeLessThan(1e-9)
})

test('what keeps it from answering is said', async () => {
  const witness = witnessWith(await classifierOf({}))
  const ask = async ({ set, question }: ReturnType<typeof setOf>) => (await witness.ask(set, question)) as { reason: string }
  expect((await ask(setOf({ pictures: 100 }))).reason).toMatch(/pictures of 0 suspected rows, 0 others of the class and 100 of other/)
  expect((await ask(setOf({ labelOf: (c) => `c${c}` }))).reason).toMatch(/label c2 is no index/)
  expect((await ask(setOf({ labelOf: (c) => c + 9 }))).reason).toMatch(/label 11 is no index/)
  const { question, set } = setOf()
  expect(await witness.ask({ ...set, images: null }, question)).toEqual({ reason: 'the set has no pictures' })
  const broken = modelWitness(() => Promise.reject(new InputError('bad-model', 'm.onnx: is no model')))
  expect(await broken.ask(set, question)).toEqual({ reason: 'm.onnx: is no model' })
  const aborted = { ...question, signal: AbortSignal.abort(new Error('enough')) }
  await expect(witness.ask(set, aborted)).rejects.toThrow('enough')
})
