import { InputError } from '../core/errors.js'
import { float16ToFloat32Table } from '../core/float16.js'
import { showText } from '../core/untrusted-text.js'
import { type ByteSource, readBytes } from '../io/byte-source.js'
import { type Dtype, decodeArray, numericDtypes } from '../io/file-array.js'
import { externalPlace, type OpenExternal, openingOnce } from '../io/onnx-external.js'
import { type Field, packedVarints, type ReadRange, readFields, windowedReader } from '../io/protobuf.js'

/** A graph of operations with its weights; weights are read when they are asked for. */
export interface OnnxModel {
  /** Of the model's file, untrusted. */
  readonly name: string
  readonly producer: string
  /** Version of the operations' definitions (the default domain's), 0 where none is stated. */
  readonly opset: number
  readonly nodes: readonly OnnxNode[]
  readonly initializers: ReadonlyMap<string, OnnxTensor>
  /** Without those that have an initializer. */
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
}

export interface OnnxNode {
  readonly op: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, OnnxAttribute>
}

export type OnnxAttribute = number | string | readonly number[] | OnnxTensor

/** An input or an output: `null` is a dimension that is left open, such as the rows of a batch. */
export interface OnnxValue {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly (number | null)[] | null
}

export interface OnnxTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  /** Where its bytes lie in its file: the model's, or one beside it. */
  readonly start: number
  readonly end: number
  /** All elements as float32; whole numbers beyond 2²⁴ lose digits. Throws `InputError` where the bytes are not what the shape asks for. */
  read(): Promise<Float32Array>
}

interface TensorType extends Dtype {
  readonly float: (data: ReturnType<Dtype['decode']>) => Float32Array
}

const plain = (code: string): TensorType => ({
  ...(numericDtypes[code] as Dtype),
  float: (data) => (data instanceof Float32Array ? data : Float32Array.from(data as Float64Array, Number)),
})
const float16: TensorType = {
  ...(numericDtypes.f2 as Dtype),
  float: (data) => Float32Array.from(data as Uint16Array, (bits) => float16ToFloat32Table()[bits] as number),
}
const bfloat16: TensorType = {
  ...(numericDtypes.f2 as Dtype),
  name: 'bfloat16',
  float: (data) => new Float32Array(Uint32Array.from(data as Uint16Array, (bits) => bits << 16).buffer),
}

/** By TensorProto.DataType. */
const types: Readonly<Record<number, TensorType>> = {
  1: plain('f4'),
  2: plain('u1'),
  3: plain('i1'),
  4: plain('u2'),
  5: plain('i2'),
  6: plain('i4'),
  7: plain('i8'),
  9: plain('b1'),
  10: float16,
  11: plain('f8'),
  12: plain('u4'),
  13: plain('u8'),
  16: bfloat16,
}

const maxNodes = 200_000
const maxNodeBytes = 64 * 2 ** 20
const maxDimensions = 16
/** Elements of one tensor: 8 GiB of float32. */
const maxElements = 2 ** 31

/**
 * Reads the graph of an ONNX model (onnx.proto, IR versions 3 and later) and where its weights lie, but none of the weights. Subgraphs
 * (attributes of If, Loop and Scan) are not looked into; repeated `graph` fields are merged, as protocol buffers have it. Files of weights
 * beside the model are opened by `openExternal`.
 *
 * Throws `InputError`: `bad-protobuf`, `bad-model` where it is not a model with a graph, `too-large`, `bad-shape`, `unsupported-dtype`,
 * `duplicate-name`, and what `externalPlace` throws where weights lie in other files.
 */
export async function readOnnx(source: ByteSource, openExternal?: OpenExternal): Promise<OnnxModel> {
  const where = showText(source.name, 300)
  const read = windowedReader(source)
  const nodes: OnnxNode[] = []
  const initializers = new Map<string, OnnxTensor>()
  const inputs = new Map<string, OnnxValue>()
  const outputs = new Map<string, OnnxValue>()
  let producer = ''
  let opset = 0
  let graphs = 0
  const context = { source, read, where, openExternal: openExternal && openingOnce(openExternal) }
  for await (const field of readFields(read, { start: 0, end: source.byteLength }, where)) {
    if (field.number === 2 && field.wire === 'bytes') producer = await text(context, field)
    if (field.number === 8 && field.wire === 'bytes') opset = (await defaultOpset(context, field)) ?? opset
    if (field.number !== 7 || field.wire !== 'bytes') continue
    graphs++
    for await (const part of readFields(read, field, where)) {
      if (part.wire !== 'bytes') continue
      if (part.number === 1) nodes.push(await readNode(context, part))
      if (part.number === 5) {
        const tensor = await readTensor(context, part)
        if (initializers.has(tensor.name)) {
          const message = `${where}: has two initializers '${showText(tensor.name)}', expected one; export the model again`
          throw new InputError('duplicate-name', message)
        }
        initializers.set(tensor.name, tensor)
      }
      if (part.number === 11 || part.number === 12) {
        const value = await readValue(context, part)
        const known = part.number === 11 ? inputs : outputs
        if (!known.has(value.name)) known.set(value.name, value)
      }
      if (nodes.length > maxNodes || initializers.size > maxNodes) {
        throw new InputError('too-large', `${where}: has more than ${maxNodes} operations or weights, expected fewer; is this a model?`)
      }
    }
  }
  if (graphs === 0 || nodes.length === 0) {
    throw new InputError('bad-model', `${where}: holds no graph of operations, expected an ONNX model; export it again`)
  }
  return {
    name: source.name,
    producer,
    opset,
    nodes,
    initializers,
    inputs: [...inputs.values()].filter(({ name }) => !initializers.has(name)),
    outputs: [...outputs.values()],
  }
}

interface Reading {
  readonly source: ByteSource
  readonly read: ReadRange
  readonly where: string
  readonly openExternal: OpenExternal | undefined
}

type Range = { readonly start: number; readonly end: number }

async function bytesOf({ read, where }: Reading, { start, end }: Range): Promise<Uint8Array> {
  if (end - start > maxNodeBytes) {
    throw new InputError('too-large', `${where}: a field of ${end - start} bytes at byte ${start}, expected at most ${maxNodeBytes}`)
  }
  return read(start, end)
}

async function text(reading: Reading, range: Range): Promise<string> {
  return new TextDecoder().decode(await bytesOf(reading, range))
}

async function defaultOpset(reading: Reading, range: Range): Promise<number | null> {
  let domain = ''
  let version: number | null = null
  for await (const field of readFields(reading.read, range, reading.where)) {
    if (field.number === 1 && field.wire === 'bytes') domain = await text(reading, field)
    if (field.number === 2 && field.wire === 'varint') version = Number(field.value)
  }
  return domain === '' || domain === 'ai.onnx' ? version : null
}

async function readNode(reading: Reading, range: Range): Promise<OnnxNode> {
  const node = { op: '', name: '', inputs: [] as string[], outputs: [] as string[], attributes: new Map<string, OnnxAttribute>() }
  let domain = ''
  for await (const field of readFields(reading.read, range, reading.where)) {
    if (field.wire !== 'bytes') continue
    if (field.number === 1) node.inputs.push(await text(reading, field))
    else if (field.number === 2) node.outputs.push(await text(reading, field))
    else if (field.number === 3) node.name = await text(reading, field)
    else if (field.number === 4) node.op = await text(reading, field)
    else if (field.number === 7) domain = await text(reading, field)
    else if (field.number === 5) {
      const attribute = await readAttribute(reading, field)
      if (attribute) node.attributes.set(attribute.name, attribute.value)
    }
  }
  return domain === '' || domain === 'ai.onnx' ? node : { ...node, op: `${domain}.${node.op}` }
}

/** null where it is of a kind that no operation here has, such as a graph. */
async function readAttribute(reading: Reading, range: Range): Promise<{ name: string; value: OnnxAttribute } | null> {
  let name = ''
  let value: OnnxAttribute | null = null
  const numbers: number[] = []
  let listed = false
  for await (const field of readFields(reading.read, range, reading.where)) {
    if (field.number === 1 && field.wire === 'bytes') name = await text(reading, field)
    if (field.number === 2 && field.wire === 'fixed') value = (await float32s(reading, field))[0] ?? 0
    if (field.number === 3 && field.wire === 'varint') value = Number(BigInt.asIntN(64, field.value))
    if (field.number === 4 && field.wire === 'bytes') value = await text(reading, field)
    if (field.number === 5 && field.wire === 'bytes') value = await readTensor(reading, field)
    if (field.number === 7 || field.number === 8) {
      listed = true
      for (const number of await numbersOf(reading, field, field.number === 7)) numbers.push(number)
    }
  }
  if (listed) value = numbers
  return value === null ? null : { name, value }
}

/** A repeated field of numbers, packed or one by one. */
async function numbersOf(reading: Reading, field: Field, floats: boolean): Promise<number[]> {
  if (field.wire === 'varint') return [Number(BigInt.asIntN(64, field.value))]
  if (field.wire === 'fixed' || floats) return [...(await float32s(reading, field))]
  return packedVarints(await bytesOf(reading, field), reading.where).map((value) => Number(BigInt.asIntN(64, value)))
}

async function float32s(reading: Reading, range: Range): Promise<Float32Array> {
  const bytes = (await bytesOf(reading, range)).slice()
  return new Float32Array(bytes.buffer, 0, bytes.byteLength >> 2)
}

async function readTensor(reading: Reading, range: Range): Promise<OnnxTensor> {
  const { source, where } = reading
  const shape: number[] = []
  let name = ''
  let type = 0
  let external = false
  const entries = new Map<string, string>()
  let raw: Range | null = null
  const typed: { field: number; numbers: number[] } = { field: 0, numbers: [] }
  for await (const field of readFields(reading.read, range, where)) {
    if (field.number === 1 && shape.length <= maxDimensions) {
      for (const size of (await numbersOf(reading, field, false)).slice(0, maxDimensions + 1)) shape.push(size)
    }
    if (field.number === 2 && field.wire === 'varint') type = Number(field.value)
    if (field.number === 8 && field.wire === 'bytes') name = await text(reading, field)
    if (field.number === 9 && field.wire === 'bytes') raw = { start: field.start, end: field.end }
    if (field.number === 13 && field.wire === 'bytes') entries.set(...(await readEntry(reading, field)))
    if (field.number === 14 && field.wire === 'varint') external = field.value === 1n
    if (field.number === 4 || field.number === 5 || field.number === 7) {
      typed.field = field.number
      for (const number of await numbersOf(reading, field, field.number === 4)) typed.numbers.push(number)
    }
  }
  const label = `${where}: weight '${showText(name)}'`
  const dtype = types[type]
  if (!dtype) throw new InputError('unsupported-dtype', `${label} has data type ${type}, expected numbers; convert it`, { type })
  const count = shape.reduce((product, size) => product * size, 1)
  if (shape.length > maxDimensions || shape.some((size) => !Number.isSafeInteger(size) || size < 0) || count > maxElements) {
    throw new InputError('bad-shape', `${label} has shape [${shape.slice(0, 20)}], expected at most ${maxElements} elements`, { shape })
  }
  const place = external ? await externalPlace(entries, reading.openExternal, label) : null
  raw = place ?? raw
  const file = place?.source ?? source
  const bytes = raw ? raw.end - raw.start : null
  const got = bytes === null ? typed.numbers.length : bytes / dtype.itemBytes
  if (got !== count) {
    throw new InputError('bad-shape', `${label} has ${got} elements, expected ${count} for shape [${shape}]; export the model again`, {
      got,
      expected: count,
    })
  }
  const { start, end } = raw ?? range
  return {
    name,
    dtype: dtype.name,
    shape,
    start,
    end,
    read: async () => {
      if (raw === null) return dtype === float16 ? float16.float(Uint16Array.from(typed.numbers)) : Float32Array.from(typed.numbers)
      const data = decodeArray(await readBytes(file, start, end, label), { dtype, littleEndian: true, count }, label)
      return dtype.float(data)
    },
  }
}

/** StringStringEntryProto. */
async function readEntry(reading: Reading, range: Range): Promise<[string, string]> {
  const entry: [string, string] = ['', '']
  for await (const field of readFields(reading.read, range, reading.where)) {
    if (field.wire === 'bytes' && (field.number === 1 || field.number === 2)) entry[field.number - 1] = await text(reading, field)
  }
  return entry
}

/** ValueInfoProto: a name and, where it is stated, a tensor type. */
async function readValue(reading: Reading, range: Range): Promise<OnnxValue> {
  let name = ''
  let dtype = ''
  let shape: (number | null)[] | null = null
  for await (const field of readFields(reading.read, range, reading.where)) {
    if (field.wire !== 'bytes') continue
    if (field.number === 1) name = await text(reading, field)
    if (field.number !== 2) continue
    for await (const kind of readFields(reading.read, field, reading.where)) {
      if (kind.number !== 1 || kind.wire !== 'bytes') continue
      for await (const part of readFields(reading.read, kind, reading.where)) {
        if (part.number === 1 && part.wire === 'varint') dtype = types[Number(part.value)]?.name ?? ''
        if (part.number === 2 && part.wire === 'bytes') shape = await readShape(reading, part)
      }
    }
  }
  return { name, dtype, shape }
}

async function readShape(reading: Reading, range: Range): Promise<(number | null)[]> {
  const shape: (number | null)[] = []
  for await (const field of readFields(reading.read, range, reading.where)) {
    if (field.number !== 1 || field.wire !== 'bytes') continue
    let size: number | null = null
    for await (const part of readFields(reading.read, field, reading.where)) {
      if (part.number === 1 && part.wire === 'varint') size = part.value > 0n && part.value < 2n ** 31n ? Number(part.value) : null
    }
    shape.push(size)
  }
  return shape
}
