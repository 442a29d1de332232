import { InputError } from '../core/errors.js'
import { inputOf } from './model-runner.js'
import { logitsOf, penultimateOf, prepareNetwork } from './network/network.js'
import type { OnnxModel } from './onnx.js'
import { onnxRuntimeRunner } from './onnx-runtime.js'

/** A model that gives a score to each class, whatever runs it. */
export interface Classifier {
  /** Of one input. */
  readonly inputShape: readonly number[]
  readonly inputLength: number
  readonly takesIds: boolean
  /** Logits `[rows, classes]` of `x: [rows, inputLength]`. */
  logits(x: Float32Array): Promise<Float32Array>
}

/** Inputs that are run at a time. */
const batch = 64

/**
 * A model to be run forward: here or, where it has operations that are not known here, in ONNX Runtime, which takes `bytes`. Throws `InputError`
 * `unsupported-model` and `no-runtime`.
 */
export async function openClassifier(model: OnnxModel, bytes: () => Promise<Uint8Array>): Promise<Classifier> {
  const { shape, dtype } = inputOf(model)
  const inputLength = shape.reduce((product, size) => product * size, 1)
  const run = await runnerOf(model, bytes)
  return {
    inputShape: shape,
    inputLength,
    takesIds: dtype.startsWith('int'),
    async logits(x) {
      const parts: Float32Array[] = []
      for (let start = 0; start < x.length; start += batch * inputLength)
        parts.push(await run(x.subarray(start, start + batch * inputLength)))
      const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
      let at = 0
      for (const part of parts) {
        all.set(part, at)
        at += part.length
      }
      return all
    },
  }
}

async function runnerOf(model: OnnxModel, bytes: () => Promise<Uint8Array>): Promise<(x: Float32Array) => Promise<Float32Array>> {
  try {
    const network = await prepareNetwork(model)
    return async (x) => network.logits(x)
  } catch (error) {
    if (!(error instanceof InputError) || error.code !== 'unsupported-model') throw error
    const input = inputOf(model)
    const length = input.shape.reduce((product, size) => product * size, 1)
    const tensor = penultimateOf(model)
    if (tensor === null) throw error
    const runner = await onnxRuntimeRunner({ bytes: await bytes(), externalData: [], input, tensor, logits: logitsOf(model)?.name ?? '' })
    return async (x) => (await runner.run(x, x.length / length)).logits
  }
}
