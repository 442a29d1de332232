import type { Rng } from '../core/rng.js'

/** `count` of `from`, in the order in which they are drawn; all of them, as they are, where there are no more. Without replacement. */
export function drawSome(from: ArrayLike<number>, count: number, rng: Rng): Uint32Array {
  const pool = Uint32Array.from(from)
  if (count >= pool.length) return pool
  for (let i = 0; i < count; i++) {
    const j = i + rng.below(pool.length - i)
    const kept = pool[i] as number
    pool[i] = pool[j] as number
    pool[j] = kept
  }
  return pool.slice(0, count)
}

/** 0 … length − 1 in random order (Fisher–Yates). */
export function shuffled(length: number, rng: Rng): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i)
  for (let i = length - 1; i > 0; i--) {
    const j = rng.below(i + 1)
    const kept = order[i] as number
    order[i] = order[j] as number
    order[j] = kept
  }
  return order
}
