import type { DeviceSet } from '../core/device-set.js'
import { classMeans } from '../kernels/class-means.js'
import { type ProjectedBatch, project, projections } from '../kernels/project.js'
import { HostMoments } from '../linalg/host-moments.js'
import { type FittedRows, normsOfFitted } from './fitted-rows.js'

export interface PlacedRows {
  /** Mean of class c less the set's shift, `[paddedCols]`. */
  meanOf(c: number): ArrayLike<number>
  /** Rows of class c about its mean along its directions, `[rows of the class, width]`: all, or those that are fitted on. */
  coordinatesOf(c: number): Promise<Float64Array>
  /** The same as they are held, perhaps in float32: not to be written to. */
  valuesOf(c: number): Promise<ArrayLike<number>>
}

export interface PlacedRowsOptions {
  /** Directions of a class. */
  readonly width: number
  /** Which rows are placed; all where it is not given. */
  readonly fitted?: FittedRows | undefined
  /** Shown every batch where the backend places the rows. */
  readonly look?: ((batch: ProjectedBatch) => Promise<void>) | undefined
}

/** Every class's rows along its own `directions: [classes · width, paddedCols]`: on the host where it has the rows, otherwise from the backend, all in one pass. */
export async function placedRows(set: DeviceSet, directions: Float32Array, options: PlacedRowsOptions): Promise<PlacedRows> {
  const host = await HostMoments.of(set)
  if (!host) return projectedRows(set, directions, options)
  const { width, fitted } = options
  const size = width * set.paddedCols
  const coordinatesOf = (c: number) =>
    host.coordinates(c, directions.subarray(c * size, (c + 1) * size), fitted?.positionsOf(c) ?? undefined)
  return { meanOf: (c) => host.meanOf(c), coordinatesOf, valuesOf: coordinatesOf }
}

/** All rows along such directions, some of a class at a time: the i-th and later ones of class c, `[rows, width]`, good until it returns. */
export async function eachPlacedRow(
  set: DeviceSet,
  directions: Float32Array,
  { width, visit }: { readonly width: number; readonly visit: (c: number, i: number, values: ArrayLike<number>) => void },
): Promise<void> {
  if (await HostMoments.of(set)) {
    const { coordinatesOf } = await placedRows(set, directions, { width })
    for (const c of set.set.classes.keys()) visit(c, 0, await coordinatesOf(c))
    return
  }
  const projection = { centres: await classMeans(set), directions, output: 'coordinates' } as const
  for await (const { classIndex: c, position, values } of projections(set, projection)) {
    visit(c, position - (set.set.starts[c] as number), values)
  }
}

/** The same from the backend in any case: in float32. */
export async function projectedRows(
  set: DeviceSet,
  directions: Float32Array,
  { width, fitted, look }: PlacedRowsOptions,
): Promise<PlacedRows> {
  const cols = set.paddedCols
  const means = await classMeans(set)
  const projection = { centres: means, directions, output: 'coordinates' } as const
  const isSome = fitted !== undefined && fitted.drawn.length > 0
  // Where a pass is dear their norms, which may be asked for, are found in the same one.
  if (isSome && set.isReadAgain && !set.set.logits) normsOfFitted(set, fitted).catch(() => undefined)
  const coordinates = await project(set, projection, { positions: isSome ? fitted.positions() : undefined, look })
  const startOf = (c: number) => (isSome ? fitted.startOf(c) : (set.set.starts[c] as number))
  const valuesOf = async (c: number) => coordinates.subarray(startOf(c) * width, startOf(c + 1) * width)
  return {
    meanOf: (c) => means.subarray(c * cols, (c + 1) * cols),
    coordinatesOf: async (c) => new Float64Array(await valuesOf(c)),
    valuesOf,
  }
}

/** Σ weights[k] · direction k of class c: one direction, of those that it has `width` of, `[paddedCols]`. */
export function combinedDirection(
  directions: Float32Array,
  weights: ArrayLike<number>,
  { c, width, cols }: { readonly c: number; readonly width: number; readonly cols: number },
): Float64Array {
  const sum = new Float64Array(cols)
  for (let k = 0; k < Math.min(width, weights.length); k++) {
    for (let j = 0, at = (c * width + k) * cols; j < cols; j++, at++)
      sum[j] = (sum[j] as number) + (weights[k] as number) * (directions[at] as number)
  }
  return sum
}
