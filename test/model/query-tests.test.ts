import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { prepareNetwork } from '../../src/model/network/network.js'
import { readOnnx } from '../../src/model/onnx.js'
import { causalTest, scaleUpScores, stripScores } from '../../src/model/query-tests.js'
import { auroc } from '../../src/stats/auroc.js'
import { writeOnnx } from '../support/onnx-writer.js'

const range = { low: [0], high: [1] }
const rng = new Rng(4)
// four classes, each of which asks for its own nine pixels; the last pixel of 37 decides for class 2 whatever the others say
const weights = Float32Array.from({ length: 4 * 37 }, (_, index) => {
  const [c, pixel] = [Math.floor(index / 37), index % 37]
  return pixel === 36 ? (c === 2 ? 40 : 0) : Math.floor(pixel / 9) === c ? 1 : 0
})
const network = await prepareNetwork(
  await readOnnx(
    memorySource(
      'm.onnx',
      writeOnnx({
        inputShape: [37],
        nodes: [{ op: 'Gemm', inputs: ['input', 'w'], output: 'logits', attributes: { transB: 1 } }],
        weights: { w: { shape: [4, 37], data: weights } },
      }),
    ),
  ),
)
const picture = (c: number, triggered: boolean) =>
  Array.from({ length: 37 }, (_, pixel) =>
    pixel === 36 ? (triggered ? 1 : 0) : Math.floor(pixel / 9) === c ? 0.3 + 0.1 * rng.float() : 0.1 * rng.float(),
  )
const clean = Float32Array.from(Array.from({ length: 40 }, (_, index) => picture(index % 4, false)).flat())
const mixed = Float32Array.from(Array.from({ length: 40 }, (_, index) => picture(index % 4, index < 20)).flat())
const triggered = Array.from({ length: 40 }, (_, index) => (index < 20 ? 1 : 0))

test('STRIP: a trigger wins over what is laid over it', () => {
  const scores = stripScores(network, mixed, { clean, rng: new Rng(1), range })
  expect(auroc(scores, triggered)).toBe(1)
  expect(Math.max(...scores)).toBeCloseTo(0, 6) // the network is always sure
  expect(() => stripScores(network, mixed, { clean: new Float32Array(0), rng: new Rng(1), range })).toThrow(/no clean inputs/)
})

test('SCALE-UP: amplified inputs with a trigger keep their class; 0.2 for each of five factors', () => {
  const scores = scaleUpScores(network, mixed, { range })
  expect([...scores.subarray(0, 20)].every((score) => Math.abs(score - 1) < 1e-12)).toBe(true)
  expect([...scores].every((score) => Math.abs(score * 5 - Math.round(score * 5)) < 1e-9)).toBe(true)
})

test('SCALE-UP with clean inputs counts from what clean inputs of the same predicted class do', () => {
  // class 0 keeps its class when it is amplified where its pixels are no longer told from the noise of another class
  const noisy = Float32Array.from({ length: 60 * 37 }, (_, index) => (index % 37 === 36 ? 0 : rng.float()))
  const plain = scaleUpScores(network, mixed, { range })
  const cleanShares = scaleUpScores(network, noisy, { range })
  const scores = scaleUpScores(network, mixed, { range, clean: noisy })
  const classOf = (x: Float32Array, row: number) => {
    const logits = network.logits(x.subarray(row * 37, (row + 1) * 37))
    return logits.indexOf(Math.max(...logits))
  }
  const spread = (values: number[]) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    return { mean, deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1)) }
  }
  for (let row = 0; row < 40; row++) {
    const own = [...cleanShares].filter((_, index) => classOf(noisy, index) === classOf(mixed, row))
    const { mean, deviation } = own.length > 1 && spread(own).deviation > 0 ? spread(own) : spread([...cleanShares])
    expect(scores[row]).toBeCloseTo(((plain[row] as number) - mean) / deviation, 9)
  }
})

test('the causal test accuses a suspected part that holds on to its class, and not a part like the rest', () => {
  const scores = stripScores(network, mixed, { clean, rng: new Rng(1), range })
  const [suspected, majority] = [scores.subarray(0, 20), scores.subarray(20)]
  expect(causalTest(suspected, majority)).toMatchObject({ auroc: 1 })
  expect(causalTest(suspected, majority).pValue).toBeLessThan(1e-6)
  expect(causalTest(majority.subarray(0, 10), majority.subarray(10)).pValue).toBeGreaterThan(0.01)
  expect(causalTest(Float64Array.of(1, 1), Float64Array.of(1, 1))).toEqual({ auroc: 0.5, pValue: 0.5 })
  expect(() => causalTest(new Float64Array(0), majority)).toThrow(/expected some of both/)
})
