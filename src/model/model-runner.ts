import { InputError } from '../core/errors.js'
import { prepareNetwork } from './network/network.js'
import type { OnnxModel } from './onnx.js'

/** Runs a model on rows of input. */
export interface ModelRunner {
  /** Which runtime it is, for the record. */
  readonly name: 'assay' | 'onnxruntime'
  /** `x: [rows, inputLength]` → activations `[rows, d]` and logits `[rows, classes]`. */
  run(x: Float32Array, rows: number): Promise<{ activations: Float32Array; logits: Float32Array }>
  /** As `run`, with the activations left on the WebGPU device that the runner computes on, where it has one. */
  readonly runOnDevice?: ((x: Float32Array, rows: number) => Promise<{ activations: DeviceActivations; logits: Float32Array }>) | undefined
}

/** Activations at the beginning of a buffer of the device, until they are released. */
export interface DeviceActivations {
  readonly buffer: GPUBuffer
  readonly length: number
  release(): void
}

/** Runs the model here, in float32 (network/). Throws `InputError` `unsupported-model` where it has operations that are not known here. */
export async function ownRunner(model: OnnxModel, tensor: string): Promise<ModelRunner> {
  const network = await prepareNetwork(model)
  return {
    name: 'assay',
    async run(x, rows) {
      const { logits, value } = network.inspect(x, tensor)
      checkRows(value.data.length, rows, tensor)
      return { activations: value.data, logits }
    },
  }
}

/** Throws `InputError` `bad-tensor` where a value has no numbers of its own for each row. */
export function checkRows(length: number, rows: number, tensor: string): void {
  if (length === 0 || length % rows !== 0) {
    throw new InputError(
      'bad-tensor',
      `tensor '${tensor}': has ${length} numbers for ${rows} rows, expected as many for each; name another (--tensor)`,
    )
  }
}

/** Numbers of one input, and whether they are token ids. Throws `InputError` `unsupported-model`. */
export function inputOf(model: OnnxModel): { shape: readonly number[]; dtype: string; name: string } {
  const [input] = model.inputs
  const shape = input?.shape?.slice(1)
  if (!input || model.inputs.length !== 1 || !shape || shape.length === 0 || shape.includes(null)) {
    const got = model.inputs.map(({ name, shape }) => `${name} [${shape?.map((size) => size ?? '?')}]`).join(', ')
    throw new InputError(
      'unsupported-model',
      `${model.name}: has the inputs ${got || 'none'}, expected one of a fixed size but for its rows`,
    )
  }
  return { shape: shape as number[], dtype: input.dtype, name: input.name }
}
