import { axisOf, listAttribute, listOf, numberAttribute, type Operation, type Prepare, Unsupported } from './operation.js'
import { elementsOf, stridesOf, tensor } from './tensor.js'

/** The same numbers in another shape. */
function reshaped(shapeOf: (shape: readonly number[]) => number[]): Operation {
  return {
    forward([x]) {
      if (!x) throw new Unsupported('an operation without an input')
      const shape = shapeOf(x.shape)
      if (elementsOf(shape) !== x.data.length) throw new Unsupported(`shape [${x.shape}] as [${shape}]`)
      return tensor(x.data, shape)
    },
    backward({ gradient, gradients: [by] }) {
      if (by) for (let index = 0; index < by.length; index++) by[index] = (by[index] as number) + (gradient[index] as number)
    },
  }
}

/** Identity, Dropout and Cast: nothing happens when a network is used. */
export const identity: Prepare = () => reshaped((shape) => [...shape])

export const flatten: Prepare = ({ node }) => {
  const axis = numberAttribute(node, 'axis', 1)
  return reshaped((shape) => {
    const from = axisOf(axis, shape.length)
    return [elementsOf(shape.slice(0, from)), elementsOf(shape.slice(from))]
  })
}

/** Reshape. A size that is stated for the rows of the batch, as exporters with a fixed batch do, stands for all of them. */
export const reshape: Prepare = ({ node, constants: [, given] }) => {
  const zeros = numberAttribute(node, 'allowzero', 0) !== 0
  const fitted = (wanted: readonly number[], shape: readonly number[]) => {
    const sizes = wanted.map((size, axis) => (size === 0 && !zeros ? (shape[axis] ?? 1) : size))
    const open = sizes.indexOf(-1)
    const rest = elementsOf(sizes.filter((size) => size !== -1))
    if (open >= 0) sizes[open] = elementsOf(shape) / rest
    else if (rest !== elementsOf(shape) && sizes[0] === 1) sizes[0] = shape[0] as number
    return sizes
  }
  if (given) return reshaped((shape) => fitted([...given.data], shape))
  return {
    forward([x, wanted]) {
      if (!x || !wanted) throw new Unsupported('Reshape without a shape')
      return tensor(x.data, fitted([...wanted.data], x.shape))
    },
    backward: reshaped((shape) => [...shape]).backward as NonNullable<Operation['backward']>,
  }
}

export const squeeze: Prepare = (preparation) => {
  const axes = listOf(preparation, 'axes', 1)
  return reshaped((shape) => {
    const dropped = new Set(
      axes?.map((axis) => axisOf(axis, shape.length)) ?? shape.flatMap((size, axis) => (size === 1 && axis > 0 ? axis : [])),
    )
    return shape.filter((_, axis) => !dropped.has(axis))
  })
}

export const unsqueeze: Prepare = (preparation) => {
  const axes = listOf(preparation, 'axes', 1) ?? []
  return reshaped((shape) => {
    const added = new Set(axes.map((axis) => axisOf(axis, shape.length + axes.length)))
    const rest = [...shape]
    return Array.from({ length: shape.length + axes.length }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() as number)))
  })
}

export const transposed: Prepare = ({ node }) => {
  const given = listAttribute(node, 'perm')
  const each = (shape: readonly number[], visit: (from: number, to: number) => void) => {
    const order = given ?? shape.map((_, axis) => shape.length - 1 - axis)
    const turned = order.map((axis) => shape[axis] as number)
    const [own, strides] = [stridesOf(shape), stridesOf(turned)]
    for (let to = 0; to < elementsOf(turned); to++) {
      let [rest, from] = [to, 0]
      for (let axis = 0; axis < turned.length; axis++) {
        const at = Math.floor(rest / (strides[axis] as number))
        rest -= at * (strides[axis] as number)
        from += at * (own[order[axis] as number] as number)
      }
      visit(from, to)
    }
    return turned
  }
  return {
    forward([x]) {
      if (!x) throw new Unsupported('an operation without an input')
      const out = new Float32Array(x.data.length)
      const shape = each(x.shape, (from, to) => {
        out[to] = x.data[from] as number
      })
      return tensor(out, shape)
    },
    backward({ inputs: [x], gradient, gradients: [by] }) {
      if (x && by) {
        each(x.shape, (from, to) => {
          by[from] = (by[from] as number) + (gradient[to] as number)
        })
      }
    },
  }
}

export const concatenate: Prepare = ({ node, constants }) => {
  const axis = numberAttribute(node, 'axis', 0)
  return {
    forward(inputs) {
      const parts = node.inputs.map((_, index) => inputs[index] ?? constants[index])
      const first = parts[0]
      if (!first || parts.some((part) => !part)) throw new Unsupported('Concat of something that is absent')
      const along = axisOf(axis, first.shape.length)
      const shape = [...first.shape]
      shape[along] = parts.reduce((sum, part) => sum + (part?.shape[along] as number), 0)
      const outer = elementsOf(shape.slice(0, along))
      const out = new Float32Array(elementsOf(shape))
      for (let block = 0, at = 0; block < outer; block++) {
        for (const part of parts) {
          const size = (part?.data.length as number) / outer
          out.set(part?.data.subarray(block * size, (block + 1) * size) as Float32Array, at)
          at += size
        }
      }
      return tensor(out, shape)
    },
    backward({ inputs, output, gradient, gradients }) {
      const outer = elementsOf(output.shape.slice(0, axisOf(axis, output.shape.length)))
      for (let block = 0, at = 0; block < outer; block++) {
        node.inputs.forEach((_, index) => {
          const size = ((inputs[index] ?? constants[index])?.data.length as number) / outer
          const by = gradients[index]
          if (by) for (let j = 0; j < size; j++) by[block * size + j] = (by[block * size + j] as number) + (gradient[at + j] as number)
          at += size
        })
      }
    },
  }
}

/** Shape: as numbers, through which no gradient passes. */
export const shapeOf: Prepare = () => ({
  forward([x]) {
    if (!x) throw new Unsupported('Shape of nothing')
    return tensor(Float32Array.from(x.shape), [x.shape.length])
  },
})

/** Gather along the first dimension: of a table of weights by the input (an embedding), or of a shape. No gradient passes by an index. */
export const gather: Prepare = ({ node, constants }) => {
  if (numberAttribute(node, 'axis', 0) !== 0) throw new Unsupported('Gather along another dimension than the first')
  return {
    forward(inputs) {
      const [from, index] = [inputs[0] ?? constants[0], inputs[1] ?? constants[1]]
      if (!from || !index) throw new Unsupported('Gather of something that is absent')
      const rows = from.shape[0] as number
      const size = from.data.length / rows
      const out = new Float32Array(index.data.length * size)
      index.data.forEach((value, place) => {
        const row = value < 0 ? value + rows : value
        if (!Number.isInteger(row) || row < 0 || row >= rows) throw new Unsupported(`row ${value} of ${rows}`)
        out.set(from.data.subarray(row * size, (row + 1) * size), place * size)
      })
      return tensor(out, [...index.shape, ...from.shape.slice(1)])
    },
  }
}
