import { concatBytes as concat } from '../../src/io/concat-bytes.js'
import { bytesField, varintField } from '../../src/io/protobuf.js'

// Writes small ONNX models, field by field as onnx.proto numbers them.

export interface WrittenNode {
  readonly op: string
  readonly inputs: readonly string[]
  readonly output: string
  readonly attributes?: Readonly<Record<string, number | readonly number[]>>
}

export interface WrittenWeight {
  readonly shape: readonly number[]
  readonly data: ArrayLike<number>
  readonly int64?: true
  /** What is said of where its bytes lie, in place of them. */
  readonly external?: Readonly<Record<string, string>>
}

export interface WrittenModel {
  readonly nodes: readonly WrittenNode[]
  readonly weights: Readonly<Record<string, WrittenWeight>>
  /** Of one input. */
  readonly inputShape: readonly number[]
  readonly output?: string
  readonly int64Input?: true
}

const text = (value: string) => new TextEncoder().encode(value)

export function writeOnnx({ nodes, weights, inputShape, output = 'logits', int64Input }: WrittenModel): Uint8Array {
  const graph = concat([
    ...nodes.map((node) => bytesField(1, nodeBytes(node))),
    ...Object.entries(weights).map(([name, weight]) => bytesField(5, tensorBytes(name, weight))),
    bytesField(11, valueBytes('input', [null, ...inputShape], int64Input ? 7 : 1)),
    bytesField(12, valueBytes(output, null, 1)),
  ])
  return concat([varintField(1, 8), bytesField(8, concat([bytesField(1, text('')), varintField(2, 13)])), bytesField(7, graph)])
}

function nodeBytes({ op, inputs, output, attributes = {} }: WrittenNode): Uint8Array {
  return concat([
    ...inputs.map((name) => bytesField(1, text(name))),
    bytesField(2, text(output)),
    bytesField(4, text(op)),
    ...Object.entries(attributes).map(([name, value]) => bytesField(5, attributeBytes(name, value))),
  ])
}

function attributeBytes(name: string, value: number | readonly number[]): Uint8Array {
  if (typeof value !== 'number') {
    return concat([bytesField(1, text(name)), ...value.map((item) => signedField(8, item)), varintField(20, 7)])
  }
  if (Number.isInteger(value)) return concat([bytesField(1, text(name)), signedField(3, value), varintField(20, 2)])
  const bytes = new Uint8Array(new Float32Array([value]).buffer)
  return concat([bytesField(1, text(name)), Uint8Array.of((2 << 3) | 5), bytes, varintField(20, 1)])
}

/** Negative numbers take all ten bytes. */
function signedField(number: number, value: number): Uint8Array {
  const bytes = [number << 3]
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Uint8Array.from([...bytes, Number(rest)])
}

export function tensorBytes(name: string, { shape, data, int64, external }: WrittenWeight): Uint8Array {
  const raw = int64 ? BigInt64Array.from(Array.from(data), BigInt) : Float32Array.from(Array.from(data))
  const dims = shape.map((size) => varintField(1, size))
  const entries = Object.entries(external ?? {}).map(([key, value]) => concat([bytesField(1, text(key)), bytesField(2, text(value))]))
  const body = external
    ? [...entries.map((entry) => bytesField(13, entry)), varintField(14, 1)]
    : [bytesField(9, new Uint8Array(raw.buffer))]
  return concat([...dims, varintField(2, int64 ? 7 : 1), bytesField(8, text(name)), ...body])
}

function valueBytes(name: string, shape: readonly (number | null)[] | null, type: number): Uint8Array {
  const dims = (shape ?? []).map((size) => bytesField(1, size === null ? bytesField(2, text('n')) : varintField(1, size)))
  const tensor = concat([varintField(1, type), ...(shape ? [bytesField(2, concat(dims))] : [])])
  return concat([bytesField(1, text(name)), bytesField(2, bytesField(1, tensor))])
}
