import type { Rng } from '../core/rng.js'

/** `count` of `from`, in the order in which they are drawn; all of them, as they are, where there are no more. Without replacement. */
export function drawSome(from: ArrayLike<number>, count: number, rng: Rng): Uint32Array {
  return drawPlaces(from.length, count, rng).map((at) => from[at] as number)
}

/** The same of 0 … length − 1 (Fisher–Yates, of which only what was exchanged is held). */
export function drawPlaces(length: number, count: number, rng: Rng): Uint32Array {
  const drawn = new Uint32Array(Math.min(count, length))
  const exchanged = new Map<number, number>()
  for (let i = 0; i < drawn.length; i++) {
    const j = count >= length ? i : i + rng.below(length - i)
    drawn[i] = exchanged.get(j) ?? j
    exchanged.set(j, exchanged.get(i) ?? i)
  }
  return drawn
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
