import { convolution } from './convolution.js'
import * as elementwise from './elementwise.js'
import { gemm, matMul } from './linear.js'
import type { Prepare } from './operation.js'
import { averagePool, globalPool, maxPool, reduce } from './pooling.js'
import * as shaping from './shaping.js'

/** What runs here, by the names of ONNX's default domain. */
export const operations: Readonly<Record<string, Prepare>> = {
  Add: elementwise.add,
  AveragePool: averagePool,
  BatchNormalization: elementwise.batchNormalization,
  Cast: shaping.identity,
  Clip: elementwise.clip,
  Concat: shaping.concatenate,
  Conv: convolution,
  Div: elementwise.divide,
  Dropout: shaping.identity,
  Elu: elementwise.elu,
  Exp: elementwise.exp,
  Flatten: shaping.flatten,
  Gather: shaping.gather,
  Gemm: gemm,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  HardSigmoid: elementwise.hardSigmoid,
  HardSwish: elementwise.hardSwish,
  Identity: shaping.identity,
  LeakyRelu: elementwise.leakyRelu,
  LogSoftmax: elementwise.softmax,
  MatMul: matMul,
  MaxPool: maxPool,
  Mul: elementwise.times,
  Pad: elementwise.pad,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceSum: reduce,
  Relu: elementwise.relu,
  Reshape: shaping.reshape,
  Shape: shaping.shapeOf,
  Sigmoid: elementwise.sigmoid,
  Softmax: elementwise.softmax,
  Sqrt: elementwise.sqrt,
  Squeeze: shaping.squeeze,
  Sub: elementwise.subtract,
  Tanh: elementwise.tanh,
  Transpose: shaping.transposed,
  Unsqueeze: shaping.unsqueeze,
}
