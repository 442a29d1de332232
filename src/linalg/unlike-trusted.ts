import type { Rng } from '../core/rng.js'
import { shuffled } from '../stats/draws.js'
import type { Rows } from './moments.js'
import { projections } from './projections.js'
import { inGroup, inRest } from './separation.js'

/** Trusted rows that a half has at least. */
const fewest = 10
/** Shares of a class that may be unlike its trusted rows. */
const shares = [0.5, 0.2, 0.05]

/**
 * Trusted rows in two random halves: one to lead to a division, and one that had no part in it, to tell of it. null where there are fewer than
 * twenty.
 */
export function halvesOf({ data, cols }: Rows, rng: Rng): [Rows, Rows] | null {
  const n = data.length / cols
  if (n < 2 * fewest) return null
  const order = shuffled(n, rng)
  const rowsOf = (some: Uint32Array): Rows => {
    const out = new Float64Array(some.length * cols)
    for (const [at, row] of some.entries()) out.set(data.subarray(row * cols, (row + 1) * cols), at * cols)
    return { data: out, cols }
  }
  return [rowsOf(order.subarray(0, n >> 1)), rowsOf(order.subarray(n >> 1))]
}

/**
 * What makes a class differ from rows that are known to be clean: the sides of a half, a fifth and a twentieth of its rows that lie furthest along the
 * discriminant direction Σ⁻¹·(m − m_trusted) (Fisher, 1936), in `rows: [n, r]` about their mean m = 0 where the other classes' covariance Σ is the
 * identity. Rows taken from many classes are several groups, which no mixture of two finds; their mean gives them away.
 */
export function unlikeSides(rows: Rows, trusted: Rows): Uint8Array[] {
  const { data, cols } = trusted
  const direction = new Float64Array(cols)
  for (let at = 0; at < data.length; at++)
    direction[at % cols] = (direction[at % cols] as number) - (data[at] as number) / (data.length / cols)
  const places = projections(rows, direction)
  const sorted = places.slice().sort()
  return shares.map((share) => {
    const least = sorted[sorted.length - Math.max(1, Math.round(share * sorted.length))] as number
    return Uint8Array.from(places, (at) => (at >= least ? inGroup : inRest))
  })
}
