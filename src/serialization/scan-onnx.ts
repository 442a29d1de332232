import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { type Field, ProtobufReader, protobufError } from '../io/protobuf.js'
import type { FileScan } from './file-scan.js'
import { staysInside } from './member-path.js'

/** Operators that every build of ONNX Runtime has. */
const knownDomains = new Set([
  ...['', 'ai.onnx', 'ai.onnx.ml', 'ai.onnx.training', 'ai.onnx.preview.training', 'ai.onnx.preview'],
  ...['com.microsoft', 'com.microsoft.nchwc', 'com.microsoft.experimental', 'com.ms.internal.nhwc'],
])
const pythonOperators = new Set(['PyOp', 'PythonOp', 'PythonOpGrad', 'PyCustomOp'])
const maxDepth = 32

/** Fields of ModelProto, GraphProto … (onnx.proto3), by message. */
const fields = {
  model: { graph: 7, training: 20, functions: 25 },
  training: { initialization: 1, algorithm: 2 },
  graph: { node: 1, initializer: 5, sparse: 15 },
  node: { attribute: 5, operator: 4, domain: 7 },
  attribute: { tensor: 5, graph: 6, tensors: 10, graphs: 11, sparse: 22, sparses: 23 },
  sparse: { values: 1, indices: 2 },
  tensor: { external: 13 },
  entry: { key: 1, value: 2 },
  function: { name: 1, node: 7, domain: 10 },
} as const

/**
 * Scans an ONNX model: where its tensors lie that are not in it, and which operators it needs. Tensors are passed over, not read.
 * Returns whether it is one: a message with a graph. `expected`: its name says so.
 */
export async function scanOnnx(source: ByteSource, scan: FileScan, { expected }: { readonly expected: boolean }): Promise<boolean> {
  const reader = new ProtobufReader(source, showText(source.name, 300), scan.signal)
  const walk = new OnnxWalk(reader)
  try {
    await walk.model(source.byteLength)
  } catch (error) {
    if (!(error instanceof InputError && error.code === 'bad-protobuf')) throw error
    if (!expected) return false
    scan.findings.add('onnx-malformed', source.name, null, `the model cannot be read: ${error.message}`)
  }
  if (!walk.hasGraph && !expected) return false
  if (!walk.hasGraph) scan.findings.add('onnx-malformed', source.name, null, 'the model has no graph')
  for (const [location, offset] of walk.locations) await checkLocation(source, location, offset, scan)
  for (const [operator, { domain, name, offset }] of walk.operators) {
    const isPython = pythonOperators.has(name)
    if ((knownDomains.has(domain) && !isPython) || walk.functions.has(operator)) continue
    const says = isPython ? 'calls Python' : 'is not one of ONNX Runtime'
    scan.findings.add('onnx-custom-operator', source.name, offset, `operator ${showText(name)} of '${showText(domain)}' ${says}`)
  }
  return true
}

async function checkLocation(source: ByteSource, location: string, offset: number, scan: FileScan): Promise<void> {
  const shown = showText(location, 200)
  const found = staysInside(location) ? ((await scan.beside?.(location)) ?? 'there') : 'outside'
  if (found === 'outside')
    scan.findings.add('onnx-external-path', source.name, offset, `a tensor lies in '${shown}', outside the folder of the model`)
  if (found === 'missing')
    scan.findings.add('onnx-external-missing', source.name, offset, `a tensor lies in '${shown}', which is not there`)
}

class OnnxWalk {
  hasGraph = false
  readonly locations = new Map<string, number>()
  readonly operators = new Map<string, { domain: string; name: string; offset: number }>()
  readonly functions = new Set<string>()

  private readonly reader: ProtobufReader

  constructor(reader: ProtobufReader) {
    this.reader = reader
  }

  model(byteLength: number): Promise<void> {
    return this.each(0, byteLength, {
      [fields.model.graph]: (field) => {
        this.hasGraph = true
        return this.graph(field, 1)
      },
      [fields.model.training]: (field) =>
        this.each(field.start, field.end, {
          [fields.training.initialization]: (inner) => this.graph(inner, 1),
          [fields.training.algorithm]: (inner) => this.graph(inner, 1),
        }),
      [fields.model.functions]: (field) => this.function(field),
    })
  }

  private graph({ start, end }: Field, depth: number): Promise<void> {
    if (depth > maxDepth) throw protobufError(this.reader.where, `graphs within graphs more than ${maxDepth} deep`, start)
    return this.each(start, end, {
      [fields.graph.node]: (field) => this.node(field, depth),
      [fields.graph.initializer]: (field) => this.tensor(field),
      [fields.graph.sparse]: (field) => this.sparse(field),
    })
  }

  private async node({ start, end }: Field, depth: number): Promise<void> {
    let [domain, name] = ['', '']
    await this.each(start, end, {
      [fields.node.operator]: async (field) => {
        name = await this.reader.text(field, 200)
      },
      [fields.node.domain]: async (field) => {
        domain = await this.reader.text(field, 200)
      },
      [fields.node.attribute]: (field) => this.attribute(field, depth),
    })
    const key = `${domain}::${name}`
    if (!this.operators.has(key) && this.operators.size < 4096) this.operators.set(key, { domain, name, offset: start })
  }

  private attribute({ start, end }: Field, depth: number): Promise<void> {
    const graph = (field: Field) => this.graph(field, depth + 1)
    const tensor = (field: Field) => this.tensor(field)
    const sparse = (field: Field) => this.sparse(field)
    const { attribute } = fields
    return this.each(start, end, {
      ...{ [attribute.graph]: graph, [attribute.graphs]: graph, [attribute.tensor]: tensor, [attribute.tensors]: tensor },
      ...{ [attribute.sparse]: sparse, [attribute.sparses]: sparse },
    })
  }

  private sparse({ start, end }: Field): Promise<void> {
    const tensor = (field: Field) => this.tensor(field)
    return this.each(start, end, { [fields.sparse.values]: tensor, [fields.sparse.indices]: tensor })
  }

  private tensor({ start, end }: Field): Promise<void> {
    return this.each(start, end, {
      [fields.tensor.external]: async (field) => {
        let [key, value] = ['', '']
        await this.each(field.start, field.end, {
          [fields.entry.key]: async (inner) => {
            key = await this.reader.text(inner)
          },
          [fields.entry.value]: async (inner) => {
            value = await this.reader.text(inner)
          },
        })
        if (key === 'location' && this.locations.size < 4096 && !this.locations.has(value)) this.locations.set(value, field.start)
      },
    })
  }

  private async function({ start, end }: Field): Promise<void> {
    let [domain, name] = ['', '']
    await this.each(start, end, {
      [fields.function.name]: async (field) => {
        name = await this.reader.text(field, 200)
      },
      [fields.function.domain]: async (field) => {
        domain = await this.reader.text(field, 200)
      },
      [fields.function.node]: (field) => this.node(field, 1),
    })
    this.functions.add(`${domain}::${name}`)
  }

  private each(start: number, end: number, visitors: Readonly<Record<number, (field: Field) => Promise<void>>>): Promise<void> {
    return this.reader.message(start, end, (field) => (field.wire === 'bytes' ? visitors[field.number]?.(field) : undefined))
  }
}
