import { ClassedRows } from '../core/classed-rows.js'
import type { DeviceSet } from '../core/device-set.js'
import { sampledSilhouette, silhouette } from '../kernels/silhouette.js'
import { drawSome } from '../stats/draws.js'
import { type SampleMean, sampleMean } from '../stats/sample-mean.js'
import type { ClassCoordinates } from './class-coordinates.js'

/** The mean silhouette of a class. */
export interface MeanSilhouette extends SampleMean {
  /** Rows that it is the mean of: fewer than the class has where they were drawn. */
  readonly rows: number
}

/** Rows of a class that are drawn at most: at a standard deviation of 0.2, which is much, the mean is known to ±0.009. */
const mostDrawn = 2000

/**
 * The mean silhouette of every class, clustered as `clusterOf: [n]` (class order) says. Exact in classes of at most `exactRows` rows: n²
 * distances. In larger ones `drawn` rows, at most 2,000 and no more than `exactRows`, drawn by the seed, each against all rows of its class, so that
 * its own silhouette is exact and the mean is unbiased: drawn · n distances.
 */
export async function meanSilhouettes(
  set: DeviceSet,
  { k, coordinates }: ClassCoordinates,
  { clusterOf, exactRows }: { readonly clusterOf: Uint32Array; readonly exactRows: number },
): Promise<MeanSilhouette[]> {
  const { backend, rng, signal } = set.context
  const { starts, classes } = set.set
  const stream = rng.fork('activation-clustering silhouettes')
  const means: MeanSilhouette[] = []
  for (let first = 0, end: number; first < classes.length; first = end) {
    signal?.throwIfAborted()
    const start = starts[first] as number
    end = first + 1
    const { label, rows } = classes[first] as { label: unknown; rows: number }
    if (rows > exactRows) {
      const drawn = drawSome(
        Uint32Array.from({ length: rows }, (_, i) => i),
        Math.min(mostDrawn, exactRows),
        stream.fork(String(label)),
      ).sort()
      const order = drawnFirst(drawn, rows)
      const points = new Float32Array(rows * k)
      order.forEach((from, to) => {
        for (let j = 0; j < k; j++) points[to * k + j] = coordinates[(start + from) * k + j] as number
      })
      using x = backend.upload({ data: points, rows, cols: k, type: 'f32' })
      using ofDrawn = sampledSilhouette(
        backend,
        x,
        order.map((i) => clusterOf[start + i] as number),
        drawn.length,
      )
      means.push({ ...sampleMean(await backend.read(ofDrawn), rows), rows: drawn.length })
      continue
    }
    const fits = (c: number) => ((starts[c + 1] as number) - start) * k * 4 <= backend.maxBindingBytes
    while (end < classes.length && (classes[end]?.rows ?? 0) <= exactRows && fits(end)) end++
    const own = coordinates.subarray(start * k, (starts[end] as number) * k)
    const x = backend.upload({ data: own, rows: own.length / k, cols: k, type: 'f32' })
    using points = new ClassedRows(
      backend,
      x,
      starts.subarray(first, end + 1).map((at) => at - start),
    )
    using ofRows = silhouette(points, clusterOf.slice(start, starts[end]))
    const values = await backend.read(ofRows)
    for (let c = first; c < end; c++) {
      const ofClass = values.subarray((starts[c] as number) - start, (starts[c + 1] as number) - start)
      means.push({ ...sampleMean(ofClass, ofClass.length), rows: ofClass.length })
    }
  }
  return means
}

/** 0 … rows − 1 with those that were drawn, which rise, before the others. */
function drawnFirst(drawn: Uint32Array, rows: number): Uint32Array {
  const order = new Uint32Array(rows)
  order.set(drawn)
  for (let i = 0, next = 0, to = drawn.length; i < rows; i++) {
    if (drawn[next] === i) next++
    else order[to++] = i
  }
  return order
}
