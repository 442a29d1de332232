import type { DeviceSet } from '../core/device-set.js'
import { classMeans } from '../kernels/class-means.js'
import { project } from '../kernels/project.js'
import { HostMoments } from '../linalg/host-moments.js'

export interface PlacedRows {
  /** Mean of class c less the set's shift, `[paddedCols]`. */
  meanOf(c: number): ArrayLike<number>
  /** Rows of class c about its mean along its directions, `[rows of the class, width]`. */
  coordinatesOf(c: number): Promise<Float64Array>
}

/** Every class's rows along its own `directions: [classes · width, paddedCols]`: on the host where it has the rows, otherwise from the backend, all in one pass. */
export async function placedRows(set: DeviceSet, directions: Float32Array, width: number): Promise<PlacedRows> {
  const host = await HostMoments.of(set)
  const cols = set.paddedCols
  if (host) {
    return {
      meanOf: (c) => host.meanOf(c),
      coordinatesOf: (c) => host.coordinates(c, directions.subarray(c * width * cols, (c + 1) * width * cols)),
    }
  }
  const means = await classMeans(set)
  const coordinates = await project(set, { centres: means, directions, output: 'coordinates' })
  const { starts } = set.set
  return {
    meanOf: (c) => means.subarray(c * cols, (c + 1) * cols),
    coordinatesOf: async (c) => Float64Array.from(coordinates.subarray((starts[c] as number) * width, (starts[c + 1] as number) * width)),
  }
}
