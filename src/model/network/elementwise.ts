import { listAttribute, numberAttribute, type Operation, type Prepare, Unsupported } from './operation.js'
import { elementsOf, stridesOf, type Tensor, tensor } from './tensor.js'

/** y = f(x), dy/dx = slope(x, y), element by element. */
function pointwise(value: (x: number) => number, slope: (x: number, y: number) => number): Operation {
  return {
    forward([x]) {
      if (!x) throw new Unsupported('an operation without an input')
      const out = new Float32Array(x.data.length)
      for (let index = 0; index < out.length; index++) out[index] = value(x.data[index] as number)
      return tensor(out, x.shape)
    },
    backward({ inputs: [x], output, gradient, gradients: [by] }) {
      if (!x || !by) return
      for (let index = 0; index < by.length; index++) {
        by[index] = (by[index] as number) + (gradient[index] as number) * slope(x.data[index] as number, output.data[index] as number)
      }
    },
  }
}

/** By itself, since every network has more of it than of anything else. */
export const relu: Prepare = () => ({
  forward([x]) {
    if (!x) throw new Unsupported('an operation without an input')
    const out = new Float32Array(x.data.length)
    for (let index = 0; index < out.length; index++) {
      const value = x.data[index] as number
      if (value > 0) out[index] = value
    }
    return tensor(out, x.shape)
  },
  backward({ output, gradient, gradients: [by] }) {
    if (!by) return
    for (let index = 0; index < by.length; index++) {
      if ((output.data[index] as number) > 0) by[index] = (by[index] as number) + (gradient[index] as number)
    }
  },
})

export const leakyRelu: Prepare = ({ node }) => {
  const alpha = Math.fround(numberAttribute(node, 'alpha', 0.01))
  return pointwise(
    (x) => (x > 0 ? x : alpha * x),
    (x) => (x > 0 ? 1 : alpha),
  )
}

export const elu: Prepare = ({ node }) => {
  const alpha = numberAttribute(node, 'alpha', 1)
  return pointwise(
    (x) => (x > 0 ? x : alpha * Math.expm1(x)),
    (x, y) => (x > 0 ? 1 : y + alpha),
  )
}

export const sigmoid: Prepare = () =>
  pointwise(
    (x) => 1 / (1 + Math.exp(-x)),
    (_, y) => y * (1 - y),
  )

export const tanh: Prepare = () => pointwise(Math.tanh, (_, y) => 1 - y * y)

export const exp: Prepare = () => pointwise(Math.exp, (_, y) => y)

export const sqrt: Prepare = () => pointwise(Math.sqrt, (_, y) => (y > 0 ? 0.5 / y : 0))

/** x · min(max(alpha·x + beta, 0), 1), and that factor alone. */
export const hardSigmoid: Prepare = ({ node }) => {
  const alpha = numberAttribute(node, 'alpha', 0.2)
  const beta = numberAttribute(node, 'beta', 0.5)
  const inside = (x: number) => alpha * x + beta > 0 && alpha * x + beta < 1
  return pointwise(
    (x) => Math.min(Math.max(alpha * x + beta, 0), 1),
    (x) => (inside(x) ? alpha : 0),
  )
}

export const hardSwish: Prepare = () =>
  pointwise(
    (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
    (x) => (x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5),
  )

export const clip: Prepare = ({ node, constants: [, low, high] }) => {
  if ((node.inputs[1] && !low) || (node.inputs[2] && !high)) throw new Unsupported('Clip with bounds that depend on the input')
  const from = low?.data[0] ?? numberAttribute(node, 'min', Number.NEGATIVE_INFINITY)
  const to = high?.data[0] ?? numberAttribute(node, 'max', Number.POSITIVE_INFINITY)
  return pointwise(
    (x) => Math.min(Math.max(x, from), to),
    (x) => (x > from && x < to ? 1 : 0),
  )
}

/** BatchNormalization with its running mean and variance: a factor and an offset per channel. */
export const batchNormalization: Prepare = ({ node, constants: [, scale, bias, mean, variance] }) => {
  if (!scale || !bias || !mean || !variance) throw new Unsupported('BatchNormalization with weights that depend on the input')
  if (numberAttribute(node, 'training_mode', 0) !== 0) throw new Unsupported('BatchNormalization that is still training')
  const epsilon = numberAttribute(node, 'epsilon', 1e-5)
  const factor = Float64Array.from(scale.data, (value, channel) => value / Math.sqrt((variance.data[channel] as number) + epsilon))
  const offset = Float64Array.from(bias.data, (value, channel) => value - (mean.data[channel] as number) * (factor[channel] as number))
  const perChannel = (shape: readonly number[]) => elementsOf(shape.slice(2))
  return {
    forward([x]) {
      if (!x || x.shape[1] !== factor.length) throw new Unsupported('BatchNormalization of other channels than its weights have')
      const size = perChannel(x.shape)
      const out = new Float32Array(x.data.length)
      for (let start = 0, channel = 0; start < out.length; start += size, channel = (channel + 1) % factor.length) {
        const [f, o] = [factor[channel] as number, offset[channel] as number]
        for (let index = start; index < start + size; index++) out[index] = (x.data[index] as number) * f + o
      }
      return tensor(out, x.shape)
    },
    backward({ output, gradient, gradients: [by] }) {
      if (!by) return
      const size = perChannel(output.shape)
      for (let start = 0, channel = 0; start < by.length; start += size, channel = (channel + 1) % factor.length) {
        const f = factor[channel] as number
        for (let index = start; index < start + size; index++) by[index] = (by[index] as number) + (gradient[index] as number) * f
      }
    },
  }
}

/** Add, Sub, Mul and Div of two values, either of which is repeated along dimensions where it has one element. */
function binary(
  value: (a: number, b: number) => number,
  slopes: readonly [(a: number, b: number) => number, (a: number, b: number) => number],
): Prepare {
  return ({ constants }) => ({
    forward(inputs) {
      const [a, b] = [inputs[0] ?? constants[0], inputs[1] ?? constants[1]]
      if (!a || !b) throw new Unsupported('an operation that lacks one of two values')
      if (sameShape(a, b)) {
        const out = new Float32Array(a.data.length)
        for (let index = 0; index < out.length; index++) out[index] = value(a.data[index] as number, b.data[index] as number)
        return tensor(out, a.shape)
      }
      const { shape, places } = repeated(a, b)
      const out = new Float32Array(elementsOf(shape))
      for (let index = 0; index < out.length; index++) {
        out[index] = value(a.data[places[0][index] as number] as number, b.data[places[1][index] as number] as number)
      }
      return tensor(out, shape)
    },
    backward({ inputs, gradient, gradients }) {
      const [a, b] = [inputs[0] ?? constants[0], inputs[1] ?? constants[1]]
      if (!a || !b) return
      const places = sameShape(a, b) ? null : repeated(a, b).places
      gradients.forEach((by, side) => {
        const slope = slopes[side]
        if (!by || !slope) return
        for (let index = 0; index < gradient.length; index++) {
          const [i, j] = places ? [places[0][index] as number, places[1][index] as number] : [index, index]
          const to = side === 0 ? i : j
          by[to] = (by[to] as number) + (gradient[index] as number) * slope(a.data[i] as number, b.data[j] as number)
        }
      })
    },
  })
}

export const add = binary((a, b) => a + b, [() => 1, () => 1])
export const subtract = binary((a, b) => a - b, [() => 1, () => -1])
export const times = binary((a, b) => a * b, [(_, b) => b, (a) => a])
export const divide = binary((a, b) => a / b, [(_, b) => 1 / b, (a, b) => -a / (b * b)])

function sameShape(a: Tensor, b: Tensor): boolean {
  return a.shape.length === b.shape.length && a.shape.every((size, axis) => size === b.shape[axis])
}

/** The shape of both together, and where each element of it comes from in either. */
function repeated(a: Tensor, b: Tensor): { shape: number[]; places: [Int32Array, Int32Array] } {
  const dimensions = Math.max(a.shape.length, b.shape.length)
  const [wideA, wideB] = [a, b].map(({ shape }) => [...new Array<number>(dimensions - shape.length).fill(1), ...shape]) as [
    number[],
    number[],
  ]
  const shape = wideA.map((size, axis) => {
    const other = wideB[axis] as number
    if (size !== other && size !== 1 && other !== 1) throw new Unsupported(`shapes [${a.shape}] and [${b.shape}] together`)
    return size === 1 ? other : size
  })
  const strides = stridesOf(shape)
  const placesOf = (wide: number[]) => {
    const own = stridesOf(wide)
    const places = new Int32Array(elementsOf(shape))
    for (let index = 0; index < places.length; index++) {
      let [rest, place] = [index, 0]
      for (let axis = 0; axis < dimensions; axis++) {
        const at = Math.floor(rest / (strides[axis] as number))
        rest -= at * (strides[axis] as number)
        if (wide[axis] !== 1) place += at * (own[axis] as number)
      }
      places[index] = place
    }
    return places
  }
  return { shape, places: [placesOf(wideA), placesOf(wideB)] }
}

/** Softmax and LogSoftmax over the last dimension. */
export const softmax: Prepare = ({ node, opset }) => {
  const axis = numberAttribute(node, 'axis', opset >= 13 ? -1 : 1)
  const log = node.op === 'LogSoftmax'
  return {
    forward([x]) {
      if (!x || (axis !== -1 && axis !== x.shape.length - 1)) throw new Unsupported(`${node.op} over another dimension than the last`)
      const size = x.shape.at(-1) as number
      const out = new Float32Array(x.data.length)
      for (let start = 0; start < out.length; start += size) {
        const row = x.data.subarray(start, start + size)
        const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
        const total = row.reduce((sum, value) => sum + Math.exp(value - most), 0)
        for (let j = 0; j < size; j++) {
          const value = (row[j] as number) - most
          out[start + j] = log ? value - Math.log(total) : Math.exp(value) / total
        }
      }
      return tensor(out, x.shape)
    },
    backward({ output, gradient, gradients: [by] }) {
      if (!by) return
      const size = output.shape.at(-1) as number
      for (let start = 0; start < by.length; start += size) {
        let sum = 0
        for (let j = start; j < start + size; j++) sum += (gradient[j] as number) * (log ? 1 : (output.data[j] as number))
        for (let j = start; j < start + size; j++) {
          const y = output.data[j] as number
          by[j] = (by[j] as number) + (log ? (gradient[j] as number) - Math.exp(y) * sum : y * ((gradient[j] as number) - sum))
        }
      }
    },
  }
}

/** Pad with a constant. */
export const pad: Prepare = ({ node, constants: [, given, constant] }) => {
  const pads = given ? [...given.data] : (listAttribute(node, 'pads') ?? [])
  if ((node.inputs[1] && !given) || (node.attributes.get('mode') ?? 'constant') !== 'constant' || pads.some((size) => size < 0)) {
    throw new Unsupported('Pad with anything but a constant')
  }
  const value = constant?.data[0] ?? numberAttribute(node, 'value', 0)
  const each = (shape: readonly number[], visit: (from: number, to: number) => void) => {
    const wide = shape.map((size, axis) => size + (pads[axis] ?? 0) + (pads[axis + shape.length] ?? 0))
    const [own, strides] = [stridesOf(shape), stridesOf(wide)]
    for (let from = 0; from < elementsOf(shape); from++) {
      let [rest, to] = [from, 0]
      for (let axis = 0; axis < shape.length; axis++) {
        const at = Math.floor(rest / (own[axis] as number))
        rest -= at * (own[axis] as number)
        to += (at + (pads[axis] ?? 0)) * (strides[axis] as number)
      }
      visit(from, to)
    }
    return wide
  }
  return {
    forward([x]) {
      if (!x || pads.length !== 2 * x.shape.length) throw new Unsupported('Pad of other dimensions than its input has')
      const wide = x.shape.map((size, axis) => size + (pads[axis] ?? 0) + (pads[axis + x.shape.length] ?? 0))
      const out = new Float32Array(elementsOf(wide)).fill(value)
      each(x.shape, (from, to) => {
        out[to] = x.data[from] as number
      })
      return tensor(out, wide)
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
