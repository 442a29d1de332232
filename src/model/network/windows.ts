import type { OnnxNode } from '../onnx.js'
import { listAttribute, numberAttribute, Unsupported } from './operation.js'

/** How a window moves over the two dimensions of a picture; one dimension is a picture of height 1. */
export interface Windows {
  readonly kernel: readonly [number, number]
  readonly strides: readonly [number, number]
  readonly dilations: readonly [number, number]
  /** Top, left, bottom, right. */
  readonly pads: readonly [number, number, number, number]
  readonly ceil: boolean
  readonly auto: string
}

export function windowsOf(node: OnnxNode, kernel: readonly number[]): Windows {
  const dimensions = kernel.length
  if (dimensions !== 1 && dimensions !== 2) throw new Unsupported(`${node.op} over ${dimensions} dimensions`)
  const two = (name: string) => {
    const given = listAttribute(node, name) ?? new Array<number>(dimensions).fill(1)
    return (dimensions === 1 ? [1, given[0]] : [given[0], given[1]]) as [number, number]
  }
  const given = listAttribute(node, 'pads') ?? new Array<number>(2 * dimensions).fill(0)
  const auto = node.attributes.get('auto_pad')
  return {
    kernel: dimensions === 1 ? [1, kernel[0] as number] : [kernel[0] as number, kernel[1] as number],
    strides: two('strides'),
    dilations: two('dilations'),
    pads: (dimensions === 1 ? [0, given[0], 0, given[1]] : given) as [number, number, number, number],
    ceil: numberAttribute(node, 'ceil_mode', 0) !== 0,
    auto: typeof auto === 'string' ? auto : 'NOTSET',
  }
}

/** A batch of pictures and the windows' places in them. */
export interface Places {
  readonly height: number
  readonly width: number
  readonly outHeight: number
  readonly outWidth: number
  readonly top: number
  readonly left: number
}

export function placesIn(windows: Windows, height: number, width: number): Places {
  const along = (size: number, axis: 0 | 1) => {
    const stride = windows.strides[axis]
    const reach = (windows.kernel[axis] - 1) * windows.dilations[axis] + 1
    if (windows.auto === 'SAME_UPPER' || windows.auto === 'SAME_LOWER') {
      const out = Math.ceil(size / stride)
      const pad = Math.max(0, (out - 1) * stride + reach - size)
      return { out, before: windows.auto === 'SAME_UPPER' ? pad >> 1 : pad - (pad >> 1) }
    }
    const before = windows.auto === 'VALID' ? 0 : windows.pads[axis]
    const after = windows.auto === 'VALID' ? 0 : windows.pads[(axis + 2) as 2 | 3]
    const steps = (size + before + after - reach) / stride
    let out = (windows.ceil ? Math.ceil(steps) : Math.floor(steps)) + 1
    if (windows.ceil && (out - 1) * stride >= size + before) out--
    if (out < 1) throw new Unsupported(`a window of ${reach} in ${size} pixels`)
    return { out, before }
  }
  const [down, right] = [along(height, 0), along(width, 1)]
  return { height, width, outHeight: down.out, outWidth: right.out, top: down.before, left: right.before }
}

/** Height and width of `[n, channels, (height,) width]`. */
export function pictureSize(shape: readonly number[]): [number, number] {
  if (shape.length === 3) return [1, shape[2] as number]
  if (shape.length === 4) return [shape[2] as number, shape[3] as number]
  throw new Unsupported(`pictures of shape [${shape}]`)
}

/** The shape that a batch of pictures has afterwards. */
export function pictureShape(shape: readonly number[], channels: number, places: Places): number[] {
  const head = [shape[0] as number, channels]
  return shape.length === 3 ? [...head, places.outWidth] : [...head, places.outHeight, places.outWidth]
}

/**
 * For each pixel of a window and each window, where that pixel lies in its plane: `[kernel, windows]`, −1 outside of the picture. The same for
 * every plane, so that moving between pictures and windows is one loop over a list.
 */
export function pixelsOfWindows({ kernel, strides, dilations }: Windows, places: Places): Int32Array {
  const { height, width, outHeight, outWidth, top, left } = places
  const map = new Int32Array(kernel[0] * kernel[1] * outHeight * outWidth)
  let at = 0
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      for (let y = 0; y < outHeight; y++) {
        const row = y * strides[0] - top + i * dilations[0]
        for (let x = 0; x < outWidth; x++) {
          const col = x * strides[1] - left + j * dilations[1]
          map[at++] = row >= 0 && row < height && col >= 0 && col < width ? row * width + col : -1
        }
      }
    }
  }
  return map
}

/** Places and pixels for pictures of one size after another, each found once. */
export function windowPlan(windows: Windows): (shape: readonly number[]) => { places: Places; pixels: Int32Array } {
  let known: { places: Places; pixels: Int32Array } | null = null
  return (shape) => {
    const [height, width] = pictureSize(shape)
    if (known?.places.height !== height || known.places.width !== width) {
      const places = placesIn(windows, height, width)
      known = { places, pixels: pixelsOfWindows(windows, places) }
    }
    return known
  }
}
