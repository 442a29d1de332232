import { multiply, transpose } from './multiply.js'
import { numberAttribute, type Prepare, Unsupported } from './operation.js'
import { elementsOf, tensor } from './tensor.js'
import { pictureShape, windowPlan, windowsOf } from './windows.js'

/** Conv: each picture's windows as columns, times the weights. x `[n, c, h, w]`, weights `[o, c / groups, kh, kw]` → `[n, o, h', w']`. */
export const convolution: Prepare = ({ node, constants: [, weights, bias] }) => {
  if (!weights || (node.inputs[2] && !bias)) throw new Unsupported('Conv with weights that depend on the input')
  const groups = numberAttribute(node, 'group', 1)
  const windows = windowsOf(node, weights.shape.slice(2))
  const planFor = windowPlan(windows)
  const outChannels = weights.shape[0] as number
  const channels = weights.shape[1] as number // of a group
  const k = channels * windows.kernel[0] * windows.kernel[1]
  const m = outChannels / groups
  const turned = new Float32Array(weights.data.length)
  for (let group = 0; group < groups; group++) {
    turned.set(transpose(weights.data.subarray(group * m * k, (group + 1) * m * k), m, k), group * m * k)
  }
  let columns = new Float32Array(0)
  const room = (size: number) => {
    if (columns.length < size) columns = new Float32Array(size)
    return columns
  }
  return {
    forward([x]) {
      if (!x || x.shape[1] !== channels * groups) throw new Unsupported('Conv of other channels than its weights have')
      const { places, pixels } = planFor(x.shape)
      const plane = places.height * places.width
      const p = places.outHeight * places.outWidth
      const shape = pictureShape(x.shape, outChannels, places)
      const out = new Float32Array(elementsOf(shape))
      const column = room(k * p)
      for (let index = 0; index < (x.shape[0] as number) * groups; index++) {
        const group = index % groups
        toColumns(x.data, column, { start: index * channels * plane, channels, plane, pixels })
        const offset = index * m * p
        if (bias) for (let o = 0; o < m; o++) out.fill(bias.data[group * m + o] as number, offset + o * p, offset + (o + 1) * p)
        multiply({ data: weights.data, offset: group * m * k }, { data: column }, { data: out, offset }, { m, k, n: p })
      }
      return tensor(out, shape)
    },
    backward({ inputs: [x], gradient, gradients: [by] }) {
      if (!x || !by) return
      const { places, pixels } = planFor(x.shape)
      const plane = places.height * places.width
      const p = places.outHeight * places.outWidth
      const column = room(k * p)
      for (let index = 0; index < (x.shape[0] as number) * groups; index++) {
        const weightsOf = { data: turned, offset: (index % groups) * m * k }
        column.fill(0, 0, k * p)
        multiply(weightsOf, { data: gradient, offset: index * m * p }, { data: column }, { m: k, k: m, n: p })
        fromColumns(by, column, { start: index * channels * plane, channels, plane, pixels })
      }
    },
  }
}

interface Columns {
  /** Where the picture begins. */
  readonly start: number
  readonly channels: number
  /** Pixels of a channel. */
  readonly plane: number
  readonly pixels: Int32Array
}

/** Row (channel, i, j) of the columns holds that pixel of every window; outside of the picture 0. */
function toColumns(data: Float32Array, column: Float32Array, { start, channels, plane, pixels }: Columns): void {
  for (let channel = 0, at = 0; channel < channels; channel++) {
    const base = start + channel * plane
    for (let index = 0; index < pixels.length; index++) {
      const pixel = pixels[index] as number
      column[at++] = pixel < 0 ? 0 : (data[base + pixel] as number)
    }
  }
}

/** Adds every window's pixels to where they came from. */
function fromColumns(data: Float32Array, column: Float32Array, { start, channels, plane, pixels }: Columns): void {
  for (let channel = 0, at = 0; channel < channels; channel++) {
    const base = start + channel * plane
    for (let index = 0; index < pixels.length; index++, at++) {
      const pixel = pixels[index] as number
      if (pixel >= 0) data[base + pixel] = (data[base + pixel] as number) + (column[at] as number)
    }
  }
}
