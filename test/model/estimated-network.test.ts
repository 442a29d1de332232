import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { estimatedNetwork } from '../../src/model/estimated-network.js'
import { examineModel } from '../../src/model/examine-model.js'
import { prepareNetwork } from '../../src/model/network/network.js'
import { readOnnx } from '../../src/model/onnx.js'
import { unitRange } from '../../src/model/pixel-range.js'
import { writeOnnx } from '../support/onnx-writer.js'

const rng = new Rng(5)
const weights = Float32Array.from({ length: 6 * 64 }, () => rng.normal() / 8)
for (const pixel of [36, 37, 44, 45]) weights[5 * 64 + pixel] = 4

/** A linear classifier of 8×8 pictures whose class 5 has large weights for a 2×2 patch; `body` comes before it. */
const modelWith = (body: string) =>
  writeOnnx({
    inputShape: [1, 8, 8],
    nodes: [
      { op: body, inputs: ['input'], output: 'b' },
      { op: 'Flatten', inputs: ['b'], output: 'f' },
      { op: 'Gemm', inputs: ['f', 'w'], output: 'logits', attributes: { transB: 1 } },
    ],
    weights: { w: { shape: [6, 64], data: weights } },
  })

test('the estimated gradient of a linear network is the exact one, pixel by pixel where there are few', async () => {
  const exact = await prepareNetwork(await readOnnx(memorySource('m.onnx', modelWith('Relu'))))
  const network = await estimatedNetwork(
    { inputShape: [1, 8, 8], inputLength: 64, takesIds: false, logits: async (x) => exact.logits(x) },
    { range: unitRange, products: exact.products },
  )
  expect(network).toMatchObject({ classes: 6, gradientPasses: 65 })
  const x = Float32Array.from({ length: 3 * 64 }, () => 0.1 + 0.5 * rng.float())
  const seeds = Float32Array.from({ length: 18 }, () => rng.normal())
  const [found, wanted] = [await network.gradient(x, () => seeds), exact.gradient(x, () => seeds)]
  expect(found.logits).toEqual(wanted.logits)
  for (const [index, value] of wanted.gradient.entries()) expect(Math.abs((found.gradient[index] as number) - value)).toBeLessThan(1e-4)
})

test('blocks of a colour picture are of one channel each, at most 200, and share their slope', async () => {
  const seen: Float32Array[] = []
  const network = await estimatedNetwork(
    {
      inputShape: [3, 32, 32],
      inputLength: 3072,
      takesIds: false,
      async logits(x) {
        seen.push(x)
        return Float32Array.from({ length: (x.length / 3072) * 4 }, (_, at) =>
          at % 4 === 0 ? (x[Math.floor(at / 4) * 3072 + 5] as number) : 0,
        )
      },
    },
    { range: unitRange, products: 1 },
  )
  seen.length = 0
  const { gradient } = await network.gradient(new Float32Array(3072), () => Float32Array.of(1, 0, 0, 0))
  expect(seen).toHaveLength(network.gradientPasses)
  expect(network.gradientPasses).toBeLessThanOrEqual(201)
  const moved = [...gradient.keys()].filter((pixel) => gradient[pixel] !== 0)
  expect(moved).toHaveLength(16)
  expect(moved.every((pixel) => pixel < 1024 && Math.floor(pixel / 32) < 4 && pixel % 32 >= 4 && pixel % 32 < 8)).toBe(true)
  expect(gradient[5]).toBeCloseTo(1 / 16, 4)
})

test('a model with an operation that only ONNX Runtime knows is examined by running it', async () => {
  const bytes = modelWith('Softplus')
  await expect(prepareNetwork(await readOnnx(memorySource('m.onnx', bytes)))).rejects.toThrow(/Softplus/)
  const found = await examineModel({ path: null, name: 'm.onnx', source: memorySource('m.onnx', bytes) })
  expect(found?.target).toBe(5)
  expect(found?.findings.map(({ id }) => id)).toEqual(['model-backdoor'])
  expect(found?.trigger).toMatchObject({ kind: 'patch', box: { row: 4, column: 4 } })
})
