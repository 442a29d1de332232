import { ClassedRows } from '../core/classed-rows.js'
import type { Rng } from '../core/rng.js'
import { drawPlaces } from '../stats/draws.js'

/** Rows of some classes in few dimensions, on the backend and on the host. */
export interface ClassPoints {
  /** `[n, dims ≤ 16]`, centred per class, with falling variance. */
  readonly rows: ClassedRows
  /** The same `[n, dims]`. */
  readonly coordinates: Float32Array
  /** `[classes · dims]` standard deviations. */
  readonly spread: ArrayLike<number>
}

/** At most `most` rows of every class, drawn from a generator of its own; null where no class has more. Whoever asks disposes their `rows`. */
export function drawPoints({ rows, coordinates, spread }: ClassPoints, most: number, rngs: readonly Rng[]): ClassPoints | null {
  const { backend, starts, x } = rows
  const dims = x.cols
  const ends = Uint32Array.from(starts)
  for (let c = 1; c < starts.length; c++) {
    ends[c] = (ends[c - 1] as number) + Math.min(most, (starts[c] as number) - (starts[c - 1] as number))
  }
  const count = ends[ends.length - 1] as number
  if (count === x.rows) return null
  const own = new Float32Array(count * dims)
  for (const [c, rng] of rngs.entries()) {
    const [start, end] = [starts[c] as number, starts[c + 1] as number]
    const to = ends[c] as number
    if (end - start <= most) own.set(coordinates.subarray(start * dims, end * dims), to * dims)
    else
      drawPlaces(end - start, most, rng.fork('drawn'))
        .sort()
        .forEach((place, i) => {
          own.set(coordinates.subarray((start + place) * dims, (start + place + 1) * dims), (to + i) * dims)
        })
  }
  const uploaded = backend.upload({ data: own, rows: count, cols: dims, type: 'f32' })
  return { rows: new ClassedRows(backend, uploaded, ends), coordinates: own, spread }
}
