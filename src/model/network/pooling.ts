import { axisOf, listAttribute, listOf, numberAttribute, type Operation, type Prepare, Unsupported } from './operation.js'
import { elementsOf, stridesOf, tensor } from './tensor.js'
import { pictureShape, type Windows, windowPlan, windowsOf } from './windows.js'

export const maxPool: Prepare = ({ node }) => pool(windowsOf(node, listAttribute(node, 'kernel_shape') ?? []), 'max')

export const averagePool: Prepare = ({ node }) => {
  const whole = numberAttribute(node, 'count_include_pad', 0) !== 0
  return pool(windowsOf(node, listAttribute(node, 'kernel_shape') ?? []), whole ? 'mean of window' : 'mean of pixels')
}

function pool(windows: Windows, kind: 'max' | 'mean of window' | 'mean of pixels'): Operation {
  const planFor = windowPlan(windows)
  const kernel = windows.kernel[0] * windows.kernel[1]
  /** By what the sum over each window is divided. */
  const divisors = (pixels: Int32Array, count: number) =>
    Float64Array.from({ length: count }, (_, window) => {
      if (kind === 'mean of window') return kernel
      let inside = 0
      for (let at = window; at < pixels.length; at += count) if ((pixels[at] as number) >= 0) inside++
      return Math.max(inside, 1)
    })
  return {
    forward([x]) {
      if (!x) throw new Unsupported('a pool of constants')
      const { places, pixels } = planFor(x.shape)
      const shape = pictureShape(x.shape, x.shape[1] as number, places)
      const [plane, count] = [places.height * places.width, places.outHeight * places.outWidth]
      const out = new Float32Array(elementsOf(shape)).fill(kind === 'max' ? Number.NEGATIVE_INFINITY : 0)
      const by = kind === 'max' ? null : divisors(pixels, count)
      for (let base = 0, start = 0; start < out.length; base += plane, start += count) {
        for (let index = 0, window = 0; index < pixels.length; index++, window = window + 1 === count ? 0 : window + 1) {
          const pixel = pixels[index] as number
          if (pixel < 0) continue
          const value = x.data[base + pixel] as number
          const at = start + window
          if (by) out[at] = (out[at] as number) + value
          else if (value > (out[at] as number)) out[at] = value
        }
        if (by)
          for (let window = 0; window < count; window++) out[start + window] = (out[start + window] as number) / (by[window] as number)
      }
      return tensor(out, shape)
    },
    backward({ inputs: [x], output, gradient, gradients: [by] }) {
      if (!x || !by) return
      const { places, pixels } = planFor(x.shape)
      const [plane, count] = [places.height * places.width, places.outHeight * places.outWidth]
      const shares = kind === 'max' ? null : divisors(pixels, count)
      const taken = new Uint8Array(shares ? 0 : gradient.length) // the first of equal ones, as runtimes have it
      for (let base = 0, start = 0; start < gradient.length; base += plane, start += count) {
        for (let index = 0, window = 0; index < pixels.length; index++, window = window + 1 === count ? 0 : window + 1) {
          const pixel = pixels[index] as number
          if (pixel < 0) continue
          const [from, to] = [start + window, base + pixel]
          if (shares) by[to] = (by[to] as number) + (gradient[from] as number) / (shares[window] as number)
          else if (!taken[from] && x.data[to] === output.data[from]) {
            by[to] = (by[to] as number) + (gradient[from] as number)
            taken[from] = 1
          }
        }
      }
    },
  }
}

/** GlobalAveragePool and GlobalMaxPool: over all but the first two dimensions, which stay as ones. */
export const globalPool: Prepare = ({ node }) => {
  const kind = node.op === 'GlobalMaxPool' ? 'max' : 'mean'
  return reduction(kind, (dimensions) => Array.from({ length: dimensions - 2 }, (_, index) => index + 2), true)
}

/** ReduceMean, ReduceMax and ReduceSum. */
export const reduce: Prepare = (preparation) => {
  const axes = listOf(preparation, 'axes', 1)
  const kind = preparation.node.op === 'ReduceMax' ? 'max' : preparation.node.op === 'ReduceSum' ? 'sum' : 'mean'
  const keep = numberAttribute(preparation.node, 'keepdims', 1) !== 0
  return reduction(kind, (dimensions) => axes?.map((axis) => axisOf(axis, dimensions)) ?? [...new Array(dimensions).keys()], keep)
}

function reduction(kind: 'max' | 'mean' | 'sum', axesOf: (dimensions: number) => readonly number[], keep: boolean): Operation {
  /** The place in the output of every element. */
  const targets = (shape: readonly number[]) => {
    const axes = new Set(axesOf(shape.length))
    if (axes.has(0)) throw new Unsupported('a reduction over the batch')
    const kept = shape.map((size, axis) => (axes.has(axis) ? 1 : size))
    const [from, to] = [stridesOf(shape), stridesOf(kept)]
    const places = new Int32Array(elementsOf(shape))
    for (let index = 0; index < places.length; index++) {
      let [rest, place] = [index, 0]
      for (let axis = 0; axis < shape.length; axis++) {
        const at = Math.floor(rest / (from[axis] as number))
        rest -= at * (from[axis] as number)
        if (!axes.has(axis)) place += at * (to[axis] as number)
      }
      places[index] = place
    }
    return { places, shape: keep ? kept : shape.filter((_, axis) => !axes.has(axis)) }
  }
  let known: { for: string; found: ReturnType<typeof targets> } | null = null
  const of = (shape: readonly number[]) => {
    const key = shape.join()
    if (known?.for !== key) known = { for: key, found: targets(shape) }
    return known.found
  }
  return {
    forward([x]) {
      if (!x) throw new Unsupported('a reduction of constants')
      const { places, shape } = of(x.shape)
      const out = new Float32Array(elementsOf(shape)).fill(kind === 'max' ? Number.NEGATIVE_INFINITY : 0)
      for (let index = 0; index < places.length; index++) {
        const place = places[index] as number
        const value = x.data[index] as number
        out[place] = kind === 'max' ? Math.max(out[place] as number, value) : (out[place] as number) + value
      }
      const each = places.length / out.length
      return tensor(kind === 'mean' ? out.map((value) => value / each) : out, shape)
    },
    backward({ inputs: [x], output, gradient, gradients: [by] }) {
      if (!x || !by) return
      const { places } = of(x.shape)
      const share = kind === 'mean' ? gradient.length / places.length : 1
      const taken = kind === 'max' ? new Uint8Array(gradient.length) : null
      for (let index = 0; index < places.length; index++) {
        const place = places[index] as number
        if (taken && (taken[place] || x.data[index] !== output.data[place])) continue
        if (taken) taken[place] = 1
        by[index] = (by[index] as number) + (gradient[place] as number) * share
      }
    },
  }
}
