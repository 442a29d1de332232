import { multiply, transpose } from './multiply.js'
import { numberAttribute, type Operation, type Prepare, Unsupported } from './operation.js'
import { elementsOf, tensor } from './tensor.js'

/** Gemm: x `[n, i]`, weights `[i, o]` (or `[o, i]` with transB), bias of a shape that fits `[n, o]`. */
export const gemm: Prepare = ({ node, constants: [, weights, bias] }) => {
  if (!weights || (node.inputs[2] && !bias)) throw new Unsupported('Gemm with weights that depend on the input')
  if (numberAttribute(node, 'transA', 0) !== 0) throw new Unsupported('Gemm with transA')
  const turned = numberAttribute(node, 'transB', 0) !== 0
  const [rows, cols] = weights.shape as [number, number]
  const alpha = numberAttribute(node, 'alpha', 1)
  const beta = numberAttribute(node, 'beta', 1)
  const [i, o] = turned ? [cols, rows] : [rows, cols]
  const forward = (turned ? transpose(weights.data, rows, cols) : weights.data.slice()).map((value) => value * alpha)
  if (bias && bias.data.length !== o && bias.data.length !== 1) throw new Unsupported(`Gemm with a bias of shape [${bias.shape}]`)
  const added = bias && Float32Array.from({ length: o }, (_, j) => beta * (bias.data[bias.data.length === 1 ? 0 : j] as number))
  return linear(forward, i, o, added)
}

/** MatMul: x `[…, i]`, weights `[i, o]`. */
export const matMul: Prepare = ({ constants: [left, weights] }) => {
  if (left || weights?.shape.length !== 2) throw new Unsupported('MatMul of anything but values with a weight matrix')
  return linear(weights.data, weights.shape[0] as number, weights.shape[1] as number, undefined)
}

function linear(weights: Float32Array, i: number, o: number, bias: Float32Array | undefined): Operation {
  const turned = transpose(weights, i, o)
  return {
    forward([x]) {
      if (!x || x.shape.at(-1) !== i) throw new Unsupported(`a linear layer of ${i} features on shape [${x?.shape}]`)
      const shape = [...x.shape.slice(0, -1), o]
      const rows = x.data.length / i
      const out = new Float32Array(elementsOf(shape))
      if (bias) for (let row = 0; row < rows; row++) out.set(bias, row * o)
      multiply(x, { data: weights }, { data: out }, { m: rows, k: i, n: o })
      return tensor(out, shape)
    },
    backward({ gradient, gradients: [by] }) {
      if (by) multiply({ data: gradient }, { data: turned }, { data: by }, { m: gradient.length / o, k: o, n: i })
    },
  }
}
