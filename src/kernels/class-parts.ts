import type { Backend, DeviceMatrix } from '../core/backend.js'
import type { ClassRange } from '../core/classed-rows.js'

/** The rows of some classes in a host matrix that has the same number of rows for each. */
interface ClassPart extends ClassRange {
  readonly cols: number
  /** 1 unless told. */
  readonly perClass?: number
}

/** Uploads the part of `data: [classes · perClass, cols]` that belongs to some classes. The caller disposes it. */
export function uploadPart(backend: Backend, data: Float32Array, { first, end, cols, perClass = 1 }: ClassPart): DeviceMatrix {
  const own = data.subarray(first * perClass * cols, end * perClass * cols)
  return backend.upload({ data: own, rows: (end - first) * perClass, cols, type: 'f32' })
}

/** Adds `part` to `total` from index `at` on. */
export function addPart(total: Float64Array, part: Float32Array, at: number): void {
  for (let i = 0; i < part.length; i++) total[at + i] = (total[at + i] as number) + (part[i] as number)
}
