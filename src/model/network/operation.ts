import type { OnnxNode } from '../onnx.js'
import type { Tensor } from './tensor.js'

/** What a node computes, with everything about its attributes and weights prepared. */
export interface Operation {
  /** `inputs` without the constant ones that were prepared are as the node has them; an absent one is undefined. */
  forward(inputs: readonly (Tensor | undefined)[]): Tensor
  /**
   * Adds to `gradients[i]`, of the size of input i, what the gradient by the output makes of it; null where none is asked for. Left out
   * where no gradient passes.
   */
  backward?(pass: Backward): void
}

export interface Backward {
  readonly inputs: readonly (Tensor | undefined)[]
  readonly output: Tensor
  readonly gradient: Float32Array
  readonly gradients: readonly (Float32Array | null)[]
}

/** A node with those of its inputs that do not depend on the network's input. */
export interface Preparation {
  readonly node: OnnxNode
  readonly opset: number
  readonly constants: readonly (Tensor | undefined)[]
}

/** Throws `Unsupported` where it cannot do what the attributes ask for. */
export type Prepare = (preparation: Preparation) => Operation

/** The network has something that only a runtime can run. */
export class Unsupported extends Error {}

export function numberAttribute({ attributes }: OnnxNode, name: string, otherwise: number): number {
  const value = attributes.get(name)
  return typeof value === 'number' ? value : otherwise
}

export function listAttribute({ attributes }: OnnxNode, name: string): readonly number[] | null {
  const value = attributes.get(name)
  return Array.isArray(value) ? value : null
}

/** An axis counted from the front. */
export function axisOf(axis: number, dimensions: number): number {
  const from = axis < 0 ? axis + dimensions : axis
  if (!Number.isInteger(from) || from < 0 || from > dimensions) throw new Unsupported(`axis ${axis} of ${dimensions}`)
  return from
}

/** A list of whole numbers that older versions have as an attribute and newer ones as an input. */
export function listOf({ node, constants }: Preparation, name: string, input: number): readonly number[] | null {
  const given = listAttribute(node, name)
  if (given) return given
  const value = constants[input]
  if (!value && node.inputs[input]) throw new Unsupported(`${node.op} whose ${name} depend on the input`)
  return value ? [...value.data] : null
}
