import { fromBase64 } from '../core/bytes-as-text.js'
import { type PointKind, pointKinds, type ScatterView } from './report-view.js'

/** The points of a scatter, unpacked: positions 0 … 1 along each axis, y upwards. In the order in which they are drawn. */
export interface PointCloud {
  readonly count: number
  readonly x: Float32Array
  readonly y: Float32Array
  readonly row: Uint32Array
  readonly classIndex: Uint16Array
  /** Index into `pointKinds`. */
  readonly kind: Uint8Array
  /** Combined suspicion, 0 … 1; null where rows have none. */
  readonly score: Float32Array | null
}

export function unpackPoints(view: ScatterView): PointCloud {
  const x = Float32Array.from(new Uint16Array(unpack(view.packedX)), (value) => value / 65535)
  return {
    count: x.length,
    x,
    y: Float32Array.from(new Uint16Array(unpack(view.packedY)), (value) => value / 65535),
    row: new Uint32Array(unpack(view.packedRow)),
    classIndex: new Uint16Array(unpack(view.packedClass)),
    kind: new Uint8Array(unpack(view.packedKind)),
    score: view.packedScore === '' ? null : Float32Array.from(new Uint8Array(unpack(view.packedScore)), (value) => value / 255),
  }
}

const unpack = (base64: string): ArrayBuffer => fromBase64(base64).buffer

export const kindOf = ({ kind }: PointCloud, point: number) => pointKinds[kind[point] as number] as PointKind

const cells = 64

/** Finds the point nearest to a place: points by cell of a grid, looked through ring by ring. */
export function nearestFinder({ count, x, y }: PointCloud): (at: { x: number; y: number }, aspect: number, reach: number) => number | null {
  const cellOf = (value: number) => Math.max(0, Math.min(cells - 1, Math.floor(value * cells)))
  const starts = new Uint32Array(cells * cells + 1)
  const cell = Uint16Array.from({ length: count }, (_, i) => cellOf(y[i] as number) * cells + cellOf(x[i] as number))
  for (const own of cell) starts[own + 1] = (starts[own + 1] as number) + 1
  for (let i = 0; i < cells * cells; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number)
  const members = new Uint32Array(count)
  const next = starts.slice(0, -1)
  for (let i = 0; i < count; i++) {
    const own = cell[i] as number
    members[next[own] as number] = i
    next[own] = (next[own] as number) + 1
  }
  // Distances are in widths of the picture; `aspect` is its height in those. Later points lie on top, so they win a tie.
  return (at, aspect, reach) => {
    let [best, least] = [null as number | null, reach * reach]
    const [left, right] = [cellOf(at.x - reach), cellOf(at.x + reach)]
    const [bottom, top] = [cellOf(at.y - reach / aspect), cellOf(at.y + reach / aspect)]
    for (let v = bottom; v <= top; v++) {
      for (let k = starts[v * cells + left] as number; k < (starts[v * cells + right + 1] as number); k++) {
        const i = members[k] as number
        const distance = ((x[i] as number) - at.x) ** 2 + (((y[i] as number) - at.y) * aspect) ** 2
        if (distance < least || (distance === least && best !== null && i > best)) [best, least] = [i, distance]
      }
    }
    return best
  }
}

/** Whether a place lies in a polygon (even-odd rule). */
export function isInside(px: number, py: number, polygon: readonly { readonly x: number; readonly y: number }[]): boolean {
  let inside = false
  let before = polygon[polygon.length - 1]
  for (const corner of polygon) {
    if (before && corner.y > py !== before.y > py && px < ((before.x - corner.x) * (py - corner.y)) / (before.y - corner.y) + corner.x)
      inside = !inside
    before = corner
  }
  return inside
}
