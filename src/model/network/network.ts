import { InputError } from '../../core/errors.js'
import { showText } from '../../core/untrusted-text.js'
import { listNames } from '../../io/list-names.js'
import type { OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from '../onnx.js'
import { type Operation, Unsupported } from './operation.js'
import { operations } from './operations.js'
import { elementsOf, type Tensor, tensor } from './tensor.js'

/** A classifier that can be run, and differentiated by its input. */
export interface Network {
  /** Of one input: `[channels, height, width]`, or what else the model takes. */
  readonly inputShape: readonly number[]
  readonly inputLength: number
  readonly classes: number
  /** Products that are summed in one input's forward pass; for deciding how much can be asked of it. */
  readonly products: number
  /** What a gradient takes, in forward passes. */
  readonly gradientPasses: number
  /** Whether the input is whole numbers, such as token ids: such a network can be run, but not differentiated by it. */
  readonly takesIds: boolean
  /** A value of the graph by its name, for `x: [n, inputLength]`, with the logits. Throws `InputError` `bad-tensor` where it is not computed. */
  inspect(x: Float32Array, name: string): { logits: Float32Array; value: Tensor }
  /** Logits `[n, classes]` of `x: [n, inputLength]`. */
  logits(x: Float32Array): Float32Array
  /** Logits, and the gradient by `x` of Σ seed·logits, where `seed` is made from the logits. */
  gradient(x: Float32Array, seed: (logits: Float32Array) => Float32Array): { logits: Float32Array; gradient: Float32Array }
}

interface Step {
  readonly operation: Operation
  readonly inputs: readonly (string | null)[]
  readonly output: string
  /** Products that each element of its output sums. */
  readonly terms: number
}

/** Names of outputs that are logits, in the order they are looked for; else the first output. */
const logitNames = ['logits', 'output', 'scores']

/**
 * Prepares a model to be run and differentiated here, in float32: reads its weights. Where the last operation is a softmax, its input are
 * the logits. Throws `InputError` `unsupported-model` where it has operations, inputs or outputs that are not understood.
 */
export async function prepareNetwork(model: OnnxModel): Promise<Network> {
  const where = showText(model.name, 300)
  try {
    return await prepare(model)
  } catch (cause) {
    if (!(cause instanceof Unsupported)) throw cause
    const message = `${where}: has ${showText(cause.message, 200)}, which is not run here; expected a network of convolutions and linear layers on fixed-size inputs`
    throw new InputError('unsupported-model', message, {}, cause)
  }
}

async function prepare(model: OnnxModel): Promise<Network> {
  const [input] = model.inputs
  if (!input || model.inputs.length !== 1) throw new Unsupported(`${model.inputs.length} inputs instead of one`)
  const inputShape = (input.shape ?? []).slice(1)
  if (inputShape.length === 0 || inputShape.some((size) => size === null)) throw new Unsupported(`an input of open size`)
  const sizes = inputShape as number[]
  const inputLength = elementsOf(sizes)
  if (inputLength > 2 ** 24) throw new Unsupported(`inputs of ${inputLength} numbers`)
  const wanted = logitsOf(model)
  if (!wanted) throw new Unsupported('no output')
  const logits = beforeSoftmax(model, wanted.name)
  const steps = await prepareSteps(model, input.name, logits)

  const run = (x: Float32Array) => {
    const values = new Map<string, Tensor>([[input.name, tensor(x, [x.length / inputLength, ...sizes])]])
    for (const step of steps) {
      values.set(step.output, step.operation.forward(step.inputs.map((name) => (name === null ? undefined : values.get(name)))))
    }
    return values
  }
  const probed = run(new Float32Array(inputLength))
  const probe = probed.get(logits)
  const classes = probe?.data.length ?? 0
  if (probe?.shape.length !== 2 || classes < 2)
    throw new Unsupported(`an output of shape [${probe?.shape}] instead of a score for each class`)
  return {
    inputShape: sizes,
    inputLength,
    classes,
    products: steps.reduce((sum, { terms, output }) => sum + terms * (probed.get(output)?.data.length as number), 0),
    gradientPasses: 3,
    takesIds: input.dtype.startsWith('int'),
    inspect(x, name) {
      const values = run(x)
      const value = values.get(name)
      if (!value) throw noSuchValue(model, name)
      return { logits: values.get(logits)?.data as Float32Array, value }
    },
    logits: (x) => run(x).get(logits)?.data as Float32Array,
    gradient(x, seed) {
      const values = run(x)
      const out = values.get(logits)?.data as Float32Array
      const gradients = new Map<string, Float32Array>([[logits, seed(out)]])
      for (let index = steps.length - 1; index >= 0; index--) {
        const { operation, inputs, output } = steps[index] as Step
        const gradient = gradients.get(output)
        if (!gradient || !operation.backward) continue
        operation.backward({
          inputs: inputs.map((name) => (name === null ? undefined : values.get(name))),
          output: values.get(output) as Tensor,
          gradient,
          gradients: inputs.map((name) => {
            if (name === null) return null
            const known = gradients.get(name) ?? new Float32Array(values.get(name)?.data.length ?? 0)
            gradients.set(name, known)
            return known
          }),
        })
        gradients.delete(output)
      }
      return { logits: out, gradient: gradients.get(input.name) ?? new Float32Array(x.length) }
    },
  }
}

function noSuchValue(model: OnnxModel, name: string): InputError {
  const computed = model.nodes.flatMap(({ outputs }) => outputs)
  const message = `${showText(model.name, 300)}: has no value '${showText(name)}' on the way to its logits, expected one of ${listNames(computed)}`
  return new InputError('bad-tensor', message)
}

/**
 * The name of the penultimate activations: what goes into the last linear layer (Gemm or MatMul) before the logits. null where there is none.
 */
export function penultimateOf(model: OnnxModel): string | null {
  const output = logitsOf(model)
  const needed = new Set([output?.name ?? ''])
  for (const { op, inputs, outputs } of [...model.nodes].reverse()) {
    if (!outputs.some((name) => needed.has(name))) continue
    if ((op === 'Gemm' || op === 'MatMul') && model.initializers.has(inputs[1] ?? '')) return inputs[0] ?? null
    for (const name of inputs) needed.add(name)
  }
  return null
}

/** The output that holds the logits. */
export function logitsOf(model: OnnxModel): OnnxValue | undefined {
  return model.outputs.find(({ name }) => logitNames.includes(name)) ?? model.outputs[0]
}

function beforeSoftmax(model: OnnxModel, output: string): string {
  const last = model.nodes.find(({ outputs }) => outputs[0] === output)
  return last && (last.op === 'Softmax' || last.op === 'LogSoftmax') ? (last.inputs[0] as string) : output
}

/** The nodes that the logits need; what does not depend on the input is computed once. */
async function prepareSteps(model: OnnxModel, input: string, logits: string): Promise<Step[]> {
  const needed = new Set([logits])
  for (const node of [...model.nodes].reverse()) {
    if (node.outputs.some((name) => needed.has(name))) for (const name of node.inputs) if (name !== '') needed.add(name)
  }
  const constants = new Map<string, Tensor>()
  for (const [name, weights] of model.initializers) if (needed.has(name)) constants.set(name, tensor(await weights.read(), weights.shape))
  const varying = new Set([input])
  const steps: Step[] = []
  for (const node of model.nodes) {
    const [output = ''] = node.outputs
    if (!needed.has(output)) continue
    if (node.op === 'Constant') {
      constants.set(
        output,
        await constantOf(
          node.attributes.get('value') ??
            node.attributes.get('value_float') ??
            node.attributes.get('value_int') ??
            node.attributes.get('value_ints'),
        ),
      )
      continue
    }
    const prepareNode = operations[node.op]
    if (!prepareNode) throw new Unsupported(`the operation ${node.op}`)
    for (const name of node.inputs) {
      if (name !== '' && !varying.has(name) && !constants.has(name))
        throw new Unsupported(`a value '${name}' that nothing computes before it is used`)
    }
    const operation = prepareNode({ node, opset: model.opset, constants: node.inputs.map((name) => constants.get(name)) })
    if (node.inputs.some((name) => varying.has(name))) {
      varying.add(output)
      const inputs = node.inputs.map((name) => (varying.has(name) ? name : null))
      steps.push({ operation, inputs, output, terms: termsOf(node, constants.get(node.inputs[1] ?? '')) })
    } else constants.set(output, operation.forward(node.inputs.map((name) => constants.get(name))))
  }
  if (!varying.has(logits)) throw new Unsupported('an output that does not depend on the input')
  return steps
}

function termsOf({ op, attributes }: OnnxNode, weights: Tensor | undefined): number {
  if (!weights) return 1
  if (op === 'Conv') return weights.data.length / (weights.shape[0] as number)
  if (op === 'MatMul') return weights.shape[0] as number
  return op === 'Gemm' ? (weights.shape[attributes.get('transB') === 1 ? 1 : 0] as number) : 1
}

async function constantOf(value: number | string | readonly number[] | OnnxTensor | undefined): Promise<Tensor> {
  if (typeof value === 'number') return tensor(Float32Array.of(value), [])
  if (Array.isArray(value)) return tensor(Float32Array.from(value), [value.length])
  if (typeof value === 'object' && 'read' in value) return tensor(await value.read(), value.shape)
  throw new Unsupported('a Constant that is not made of numbers')
}
