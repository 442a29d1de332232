import { expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { concatBytes as concat } from '../../src/io/concat-bytes.js'
import { bytesField } from '../../src/io/protobuf.js'
import { exposeTensor } from '../../src/model/expose-tensor.js'
import { penultimateOf } from '../../src/model/network/network.js'
import { readOnnx } from '../../src/model/onnx.js'
import { tensorBytes, writeOnnx } from '../support/onnx-writer.js'

const model = writeOnnx({
  inputShape: [4],
  nodes: [
    { op: 'Gemm', inputs: ['input', 'w', 'b'], output: 'h', attributes: { alpha: 0.5, transB: 1 } },
    { op: 'Relu', inputs: ['h'], output: 'r' },
    { op: 'MatMul', inputs: ['r', 'v'], output: 'logits', attributes: { axes: [-1, 2] } },
  ],
  weights: {
    w: { shape: [3, 4], data: Array.from({ length: 12 }, (_, index) => index) },
    b: { shape: [3], data: [1, 2, 3] },
    v: { shape: [3, 2], data: [1, 0, 0, 1, 1, 1] },
  },
})

test('operations, attributes, inputs, outputs and weights are read', async () => {
  const read = await readOnnx(memorySource('m.onnx', model))
  expect(read.nodes.map(({ op, inputs, outputs }) => [op, inputs, outputs])).toEqual([
    ['Gemm', ['input', 'w', 'b'], ['h']],
    ['Relu', ['h'], ['r']],
    ['MatMul', ['r', 'v'], ['logits']],
  ])
  expect(read.nodes[0]?.attributes.get('alpha')).toBe(0.5)
  expect(read.nodes[2]?.attributes.get('axes')).toEqual([-1, 2])
  expect(read.inputs).toEqual([{ name: 'input', dtype: 'float32', shape: [null, 4] }])
  expect(read.outputs.map(({ name }) => name)).toEqual(['logits'])
  expect(read.opset).toBe(13)
  expect(await read.initializers.get('b')?.read()).toEqual(Float32Array.of(1, 2, 3))
})

test('weights are not read before they are asked for, and then only the one', async () => {
  const big = writeOnnx({
    inputShape: [4],
    nodes: [{ op: 'MatMul', inputs: ['input', 'small'], output: 'logits' }],
    weights: {
      large: { shape: [1000, 1000], data: new Float32Array(1e6) },
      small: { shape: [4, 2], data: [1, 2, 3, 4, 5, 6, 7, 8] },
    },
  })
  let bytes = 0
  const memory = memorySource('m.onnx', big)
  const counted: ByteSource = {
    ...memory,
    slice: (start, end) => {
      bytes += end - start
      return memory.slice(start, end)
    },
  }
  const read = await readOnnx(counted)
  expect(bytes).toBeLessThan(300_000)
  bytes = 0
  expect(await read.initializers.get('small')?.read()).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8))
  expect(bytes).toBe(32)
})

test('a file that is cut off anywhere is refused with an InputError, or is a shorter model; nothing else is thrown', async () => {
  let refused = 0
  for (let end = 0; end < model.length; end++) {
    try {
      const read = await readOnnx(memorySource('m.onnx', model.subarray(0, end)))
      expect(read.nodes.length).toBeGreaterThan(0)
    } catch (error) {
      expect(error).toBeInstanceOf(InputError)
      refused++
    }
  }
  expect(refused).toBe(model.length)
})

test.each([
  ['a weight twice', concat([model, bytesField(7, bytesField(5, tensorBytes('w', { shape: [1], data: [1] })))]), 'duplicate-name'],
  ['a weight with too few bytes', concat([model, bytesField(7, bytesField(5, tensorBytes('x', { shape: [9], data: [1] })))]), 'bad-shape'],
  [
    'dimensions beyond memory',
    concat([model, bytesField(7, bytesField(5, tensorBytes('x', { shape: [2 ** 30, 2 ** 30], data: [] })))]),
    'bad-shape',
  ],
  ['no graph', model.subarray(0, 2), 'bad-model'],
  ['wire type 3', Uint8Array.of(8, 8, (7 << 3) | 3), 'bad-protobuf'],
  ['a length beyond the file', Uint8Array.of((7 << 3) | 2, 200, 1, 0), 'bad-protobuf'],
])('%s is refused', async (_, bytes, code) => {
  await expect(readOnnx(memorySource('m.onnx', bytes))).rejects.toMatchObject({ code })
})

test('the penultimate value is found, and a model with one more output still reads', async () => {
  const read = await readOnnx(memorySource('m.onnx', model))
  expect(penultimateOf(read)).toBe('r')
  const exposed = await readOnnx(memorySource('m.onnx', exposeTensor(model, 'r')))
  expect(exposed.outputs.map(({ name }) => name)).toEqual(['logits', 'r'])
  expect(exposed.nodes).toEqual(read.nodes)
})
