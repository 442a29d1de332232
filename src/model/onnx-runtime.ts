import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { exposeTensor } from './expose-tensor.js'
import { checkRows, type ModelRunner } from './model-runner.js'

/** What is used of ONNX Runtime, in both of its packages. */
interface Runtime {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> }
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array | Int32Array, dims: readonly number[]) => unknown
}

interface Session {
  run(feeds: Record<string, unknown>, fetches: readonly string[]): Promise<Record<string, Value>>
}

interface Value {
  readonly type: string
  readonly dims: readonly number[]
  readonly gpuBuffer: GPUBuffer
  /** Reads from the device where the value lies there, and lets go of it then. */
  getData(release: true): Promise<unknown>
  dispose(): void
}

export interface RuntimeModel {
  readonly bytes: Uint8Array
  /** Files of weights beside it, by the paths that it has for them. */
  readonly externalData: readonly { readonly path: string; readonly data: Uint8Array }[]
  readonly input: { readonly name: string; readonly shape: readonly number[]; readonly dtype: string }
  /** Names of the activations and of the logits. */
  readonly tensor: string
  readonly logits: string
  /** In browsers: a `GPUDevice` to compute on. */
  readonly device?: object | undefined
}

/**
 * Runs the model in ONNX Runtime, with every operation that it knows: in onnxruntime-node where that is installed, else in onnxruntime-web; on the CPU, or on
 * a WebGPU device that is given. Throws `InputError` `no-runtime` where neither is, and `unsupported-model` with the runtime's own words where it
 * refuses the model.
 */
export async function onnxRuntimeRunner({ bytes, externalData, input, tensor, logits, device }: RuntimeModel): Promise<ModelRunner> {
  const { runtime, provider } = await loadRuntime(device)
  let session: Session
  try {
    session = await runtime.InferenceSession.create(exposeTensor(bytes, tensor), {
      executionProviders: [provider],
      logSeverityLevel: 3,
      ...(device && { preferredOutputLocation: { [tensor]: 'gpu-buffer', [logits]: 'cpu' } }),
      ...(externalData.length > 0 && { externalData }),
    })
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    throw new InputError('unsupported-model', `the model: is refused by ONNX Runtime: ${showText(said, 300)}`, {}, cause)
  }
  const compute = async (x: Float32Array, rows: number) => {
    const data = input.dtype === 'int64' ? BigInt64Array.from(x, BigInt) : input.dtype === 'int32' ? Int32Array.from(x) : x
    const feeds = { [input.name]: new runtime.Tensor(input.dtype === '' ? 'float32' : input.dtype, data, [rows, ...input.shape]) }
    const outputs = await session.run(feeds, [tensor, logits])
    const [activations, scores] = [outputs[tensor], outputs[logits]]
    if (activations?.type !== 'float32' || scores?.type !== 'float32') {
      throw new InputError('bad-tensor', `tensor '${showText(tensor)}': is not float32, expected activations; name another (--tensor)`)
    }
    const length = activations.dims.reduce((product, size) => product * size, 1)
    checkRows(length, rows, tensor)
    return { activations, length, logits: (await scores.getData(true)) as Float32Array }
  }
  return {
    name: 'onnxruntime',
    async run(x, rows) {
      const { activations, logits: scores } = await compute(x, rows)
      return { activations: (await activations.getData(true)) as Float32Array, logits: scores }
    },
    runOnDevice:
      device &&
      (async (x, rows) => {
        const { activations, length, logits: scores } = await compute(x, rows)
        return { activations: { buffer: activations.gpuBuffer, length, release: () => activations.dispose() }, logits: scores }
      }),
  }
}

/** On a device of ours only the build with the native WebGPU provider computes: the usual one takes no device, and makes one of its own without a word. */
async function loadRuntime(device: object | undefined): Promise<{ runtime: Runtime; provider: 'cpu' | 'wasm' | object }> {
  // the name in a variable: onnxruntime-node is no dependency of this package's development, since its installation fetches files
  const native: string = 'onnxruntime-node'
  try {
    if (device) return { runtime: runtimeOf(await import('onnxruntime-web/webgpu')), provider: { name: 'webgpu', device } }
    try {
      return { runtime: runtimeOf(await import(native)), provider: 'cpu' }
    } catch {
      return { runtime: runtimeOf(await import('onnxruntime-web')), provider: 'wasm' }
    }
  } catch (cause) {
    const missing = device ? 'onnxruntime-web: is not installed' : 'onnxruntime-node: is not installed, nor is onnxruntime-web'
    const mend = device ? 'npm install it' : 'npm install one of them, or use --runtime assay'
    throw new InputError('no-runtime', `${missing}; ${mend}`, {}, cause)
  }
}

function runtimeOf(loaded: object): Runtime {
  return ('default' in loaded && loaded.default ? loaded.default : loaded) as Runtime
}
