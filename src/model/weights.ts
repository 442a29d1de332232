import { InputError } from '../core/errors.js'
import { float16ToFloat32Table } from '../core/float16.js'
import type { ByteSource } from '../io/byte-source.js'
import type { FileArray } from '../io/file-array.js'
import { openSafetensors, readSafetensorsHeader } from '../io/safetensors.js'
import type { OnnxModel } from './onnx.js'

/** One weight of a model, read when it is asked for. */
export interface Weights {
  readonly name: string
  readonly shape: readonly number[]
  /** Whether a matrix is stored with a row for each input instead of each output. */
  readonly inputRows: boolean
  read(): Promise<Float32Array>
}

/** The floating-point weights of a safetensors file, in the order of their bytes. Throws what `openSafetensors` throws. */
export async function safetensorsWeights(source: ByteSource, where: string): Promise<Weights[]> {
  const { tensors } = await readSafetensorsHeader(source, where)
  const arrays = await openSafetensors(source)
  return tensors
    .filter(({ dtype }) => /^B?F(?:16|32|64)$/.test(dtype))
    .map(({ name, shape }) => ({
      name,
      shape,
      inputRows: false,
      read: async () => {
        const array = await arrays.get(name)?.readArray(where)
        if (!array) throw new InputError('missing-array', `${where}: has no tensor '${name}' any more; try again`)
        return asFloat32(array)
      },
    }))
}

function asFloat32({ dtype, data }: FileArray): Float32Array {
  if (data instanceof Float32Array) return data
  if (dtype === 'float16') return Float32Array.from(data as Uint16Array, (bits) => float16ToFloat32Table()[bits] as number)
  return Float32Array.from(data as Float64Array)
}

/** The weights that layers of an ONNX model multiply by, in the order of its operations. */
export function onnxWeights(model: OnnxModel): Weights[] {
  const seen = new Set<string>()
  return model.nodes.flatMap(({ op, inputs, attributes }) => {
    const name = inputs[1] ?? ''
    const tensor = model.initializers.get(name)
    if (!tensor || !['Conv', 'Gemm', 'MatMul'].includes(op) || seen.has(name)) return []
    seen.add(name)
    const inputRows = op === 'MatMul' || (op === 'Gemm' && attributes.get('transB') !== 1)
    return [{ name, shape: tensor.shape, inputRows, read: () => tensor.read() }]
  })
}
