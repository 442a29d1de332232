import { expect, test } from 'vitest'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { readOnnx } from '../../src/model/onnx.js'
import { onnxWeights, safetensorsWeights } from '../../src/model/weights.js'
import { makeSafetensors } from '../io/make-safetensors.js'
import { message } from '../serialization/make-models.js'

/** Counts what is read of a source. */
function counting(source: ByteSource) {
  const seen = { bytes: 0 }
  const slice: ByteSource['slice'] = (start, end) => {
    seen.bytes += end - start
    return source.slice(start, end)
  }
  return { seen, source: { name: source.name, byteLength: source.byteLength, slice } }
}

test('the weights of one layer of a safetensors file of 7 GiB are read without the rest', async () => {
  const [layers, side] = [448, 2048]
  const layerBytes = 4 * side * side
  const tensors = Array.from({ length: layers }, (_, i) => [
    `layer.${i}.weight`,
    { dtype: 'F32', shape: [side, side], data_offsets: [i * layerBytes, (i + 1) * layerBytes] },
  ])
  const header = makeSafetensors(Object.fromEntries(tensors))
  // every byte of layer i is i, and no file that large is made
  const sparse: ByteSource = {
    name: 'm.safetensors',
    byteLength: header.length + layers * layerBytes,
    slice: async (start, end) => {
      const head = header.subarray(Math.min(start, header.length), Math.min(end, header.length))
      if (head.length === end - start) return head
      return new Uint8Array(end - start).fill(Math.floor((start - header.length) / layerBytes) & 0x3f)
    },
  }
  expect(sparse.byteLength).toBeGreaterThan(7 * 2 ** 30)
  for (const read of [
    async (source: ByteSource) => (await safetensorsWeights(source, 'm'))[17]?.read(),
    async (source: ByteSource) => (await (await openSafetensors(source)).get('layer.17.weight')?.readArray('m'))?.data as Float32Array,
  ]) {
    const { seen, source } = counting(sparse)
    const weights = await read(source)
    expect(weights).toHaveLength(side * side)
    expect(new Uint8Array((weights as Float32Array).buffer, 0, 4)).toEqual(new Uint8Array(4).fill(17))
    // the header is read twice at most, the layer once
    expect(seen.bytes).toBeLessThanOrEqual(layerBytes + 2 * (header.length + 16))
  }
})

test('the weights of one layer of an ONNX model are read without the rest', async () => {
  const [layers, side] = [40, 256]
  const layerBytes = 4 * side * side
  const nodes = Array.from(
    { length: layers },
    (_, i) => [1, message([1, `x${i}`], [1, `w${i}`], [2, `x${i + 1}`], [4, 'MatMul'])] as [number, Uint8Array],
  )
  const initializers = Array.from(
    { length: layers },
    (_, i) => [5, message([1, side], [1, side], [2, 1], [8, `w${i}`], [9, new Uint8Array(layerBytes).fill(i)])] as [number, Uint8Array],
  )
  const bytes = message([1, 8], [7, message(...nodes, ...initializers)])
  const { seen, source } = counting(memorySource('m.onnx', bytes))
  const weights = onnxWeights(await readOnnx(source))
  expect(weights).toHaveLength(layers)
  const graphBytes = seen.bytes
  expect(graphBytes).toBeLessThan(bytes.length / 10)
  const layer = await weights[17]?.read()
  expect(new Uint8Array((layer as Float32Array).buffer, 0, 4)).toEqual(new Uint8Array(4).fill(17))
  expect(seen.bytes - graphBytes).toBe(layerBytes)
})
