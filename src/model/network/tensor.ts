/** Numbers in C order. The first dimension is the batch's wherever a value depends on the input. */
export interface Tensor {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

export function tensor(data: Float32Array, shape: readonly number[]): Tensor {
  return { data, shape }
}

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** How far apart neighbours along each dimension lie. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = (strides[axis + 1] as number) * (shape[axis + 1] as number)
  return strides
}
