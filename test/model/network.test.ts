// biome-ignore-all lint/style/noNonNullAssertion: the naive formulas would not be seen for the casts
import { expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { multiply, multiplyHere } from '../../src/model/network/multiply.js'
import { prepareNetwork } from '../../src/model/network/network.js'
import { readOnnx } from '../../src/model/onnx.js'
import { type WrittenModel, type WrittenNode, writeOnnx } from '../support/onnx-writer.js'

const rng = new Rng(5)
const drawn = (length: number) => Float32Array.from({ length }, () => rng.normal() / 2)

async function network(model: WrittenModel) {
  return prepareNetwork(await readOnnx(memorySource('m.onnx', writeOnnx(model))))
}

test.each([
  [1, 1, 1],
  [4, 8, 8],
  [5, 7, 13],
  [9, 3, 4],
  [3, 20, 31],
])('a product of %i×%i by %i columns is the naive one, in WebAssembly and here, and is added', (m, k, n) => {
  const [a, b, c] = [drawn(m * k), drawn(k * n), drawn(m * n)]
  const expected = c.slice()
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) for (let p = 0; p < k; p++) expected[i * n + j]! += a[i * k + p]! * b[p * n + j]!
  for (const product of [multiply, multiplyHere]) {
    const out = c.slice()
    product({ data: a }, { data: b }, { data: out }, { m, k, n })
    for (let index = 0; index < out.length; index++) expect(out[index]).toBeCloseTo(expected[index]!, 4)
  }
})

test('a convolution with stride, padding, dilation and groups is the naive one', async () => {
  const weights = drawn(4 * 1 * 3 * 3)
  const bias = drawn(4)
  const net = await network({
    inputShape: [2, 7, 6],
    nodes: [
      {
        op: 'Conv',
        inputs: ['input', 'w', 'b'],
        output: 'c',
        attributes: { group: 2, strides: [2, 1], pads: [1, 2, 1, 0], dilations: [1, 2], kernel_shape: [3, 3] },
      },
      { op: 'Flatten', inputs: ['c'], output: 'logits' },
    ],
    weights: { w: { shape: [4, 1, 3, 3], data: weights }, b: { shape: [4], data: bias } },
  })
  const x = drawn(2 * 7 * 6)
  const [rows, cols] = [4, 4]
  const expected: number[] = []
  for (let o = 0; o < 4; o++) {
    for (let y = 0; y < rows; y++) {
      for (let z = 0; z < cols; z++) {
        let sum = bias[o]!
        for (let i = 0; i < 3; i++) {
          for (let j = 0; j < 3; j++) {
            const [row, col] = [y * 2 - 1 + i, z - 2 + 2 * j]
            if (row >= 0 && row < 7 && col >= 0 && col < 6) sum += weights[o * 9 + i * 3 + j]! * x[(o >> 1) * 42 + row * 6 + col]!
          }
        }
        expected.push(sum)
      }
    }
  }
  expect([...net.logits(x)]).toHaveLength(expected.length)
  net.logits(x).forEach((value, index) => {
    expect(value).toBeCloseTo(expected[index]!, 4)
  })
})

const head: WrittenNode[] = [
  { op: 'Flatten', inputs: ['f'], output: 'g' },
  { op: 'Gemm', inputs: ['g', 'v', 'u'], output: 'logits', attributes: { transB: 1, alpha: 0.7, beta: 1.3 } },
]
const attributes = { kernel_shape: [2, 2], strides: [2, 2] }
// each leads from `input` [2, 4, 4] to `f`
const bodies: readonly (readonly [string, readonly WrittenNode[], number])[] = [
  [
    'Relu and LeakyRelu',
    [
      { op: 'Relu', inputs: ['input'], output: 'r' },
      { op: 'LeakyRelu', inputs: ['r'], output: 'f', attributes: { alpha: 0.2 } },
    ],
    32,
  ],
  ['MaxPool', [{ op: 'MaxPool', inputs: ['input'], output: 'f', attributes }], 8],
  [
    'AveragePool with padding',
    [{ op: 'AveragePool', inputs: ['input'], output: 'f', attributes: { ...attributes, pads: [1, 1, 1, 1] } }],
    18,
  ],
  ['GlobalAveragePool', [{ op: 'GlobalAveragePool', inputs: ['input'], output: 'f' }], 2],
  ['ReduceMean', [{ op: 'ReduceMean', inputs: ['input'], output: 'f', attributes: { axes: [2, 3], keepdims: 0 } }], 2],
  ['ReduceMax', [{ op: 'ReduceMax', inputs: ['input'], output: 'f', attributes: { axes: [3], keepdims: 0 } }], 8],
  ['BatchNormalization', [{ op: 'BatchNormalization', inputs: ['input', 's', 'o', 'm', 'q'], output: 'f' }], 32],
  [
    'Add of two branches',
    [
      { op: 'Tanh', inputs: ['input'], output: 't' },
      { op: 'Sigmoid', inputs: ['input'], output: 'i' },
      { op: 'Add', inputs: ['t', 'i'], output: 'f' },
    ],
    32,
  ],
  ['Mul with a factor a channel', [{ op: 'Mul', inputs: ['input', 'k'], output: 'f' }], 32],
  [
    'Div and Sub',
    [
      { op: 'Exp', inputs: ['input'], output: 'e' },
      { op: 'Sub', inputs: ['e', 'k'], output: 'd' },
      { op: 'Div', inputs: ['d', 'e'], output: 'f' },
    ],
    32,
  ],
  [
    'Concat and Transpose',
    [
      { op: 'Transpose', inputs: ['input'], output: 't', attributes: { perm: [0, 2, 3, 1] } },
      { op: 'Concat', inputs: ['t', 't'], output: 'f', attributes: { axis: -1 } },
    ],
    64,
  ],
  [
    'Reshape and HardSwish',
    [
      { op: 'Reshape', inputs: ['input', 'shape'], output: 'h' },
      { op: 'HardSwish', inputs: ['h'], output: 'f' },
    ],
    32,
  ],
  [
    'Pad and Clip',
    [
      { op: 'Pad', inputs: ['input', 'pads'], output: 'p' },
      { op: 'Clip', inputs: ['p', 'low', 'high'], output: 'f' },
    ],
    50,
  ],
  ['Softmax within', [{ op: 'Softmax', inputs: ['input'], output: 'f', attributes: { axis: -1 } }], 32],
  ['LogSoftmax within', [{ op: 'LogSoftmax', inputs: ['input'], output: 'f', attributes: { axis: -1 } }], 32],
]

test.each(bodies)('the gradient through %s is what finite differences give', async (_, body, features) => {
  const net = await network({
    inputShape: [2, 4, 4],
    nodes: [...body, ...head],
    weights: {
      v: { shape: [3, features], data: drawn(3 * features) },
      u: { shape: [3], data: drawn(3) },
      s: { shape: [2], data: [0.5, 2] },
      o: { shape: [2], data: [0.1, -0.3] },
      m: { shape: [2], data: [0.2, 0] },
      q: { shape: [2], data: [1, 0.25] },
      k: { shape: [2, 1, 1], data: [0.5, -2] },
      shape: { shape: [4], data: [0, 4, -1, 2], int64: true },
      pads: { shape: [8], data: [0, 0, 0, 0, 0, 0, 1, 1], int64: true },
      low: { shape: [], data: [-0.5] },
      high: { shape: [], data: [0.75] },
    },
  })
  const x = Float32Array.from({ length: 2 * 32 }, (_, index) => Math.sin(3 * index + 1) + 0.037 * index) // no ties, no kinks near by
  const seed = Float32Array.of(1, -0.5, 0.25, 0, 2, -1)
  const { gradient } = net.gradient(x, () => seed.slice())
  const value = (at: Float32Array) => net.logits(at).reduce((sum, logit, index) => sum + logit * seed[index]!, 0)
  const step = 2 ** -8
  for (let index = 0; index < x.length; index++) {
    const [up, down] = [x.slice(), x.slice()]
    up[index]! += step
    down[index]! -= step
    expect(Math.abs((value(up) - value(down)) / (2 * step) - gradient[index]!)).toBeLessThan(0.01)
  }
})

test('a model ends before its softmax, and one with an unknown operation is refused by its name', async () => {
  const weights = { v: { shape: [2, 3], data: drawn(6) } }
  const nodes = [{ op: 'MatMul', inputs: ['input', 'v'], output: 'z' }]
  const net = await network({ inputShape: [2], nodes: [...nodes, { op: 'Softmax', inputs: ['z'], output: 'logits' }], weights })
  const plain = await network({ inputShape: [2], nodes, weights, output: 'z' })
  expect(net.logits(Float32Array.of(1, 2))).toEqual(plain.logits(Float32Array.of(1, 2)))
  await expect(network({ inputShape: [2], nodes: [{ op: 'Einsum', inputs: ['input', 'v'], output: 'logits' }], weights })).rejects.toThrow(
    /the operation Einsum/,
  )
})
