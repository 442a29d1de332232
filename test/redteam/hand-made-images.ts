import { Rng } from '../../src/core/rng.js'
import type { ImageSet } from '../../src/redteam/image-set.js'

export interface Made {
  readonly images: { readonly data: Uint8Array; readonly shape: readonly number[] }
  readonly labels: Int32Array
}

/** Noise pictures of 20 … 99, so that a bright trigger shows; `counts[label]` rows of each label, in turn. */
export function pictures(counts: readonly number[], shape: readonly number[] = [8, 8]): Made {
  const rng = new Rng(1, 'pictures')
  const left = [...counts]
  const labels: number[] = []
  while (left.some((count) => count > 0)) {
    for (const [label, count] of left.entries()) {
      if (count === 0) continue
      labels.push(label)
      left[label] = count - 1
    }
  }
  const length = shape.reduce((product, size) => product * size, 1)
  const data = Uint8Array.from({ length: labels.length * length }, () => 20 + rng.below(80))
  return { images: { data, shape: [labels.length, ...shape] }, labels: Int32Array.from(labels) }
}

/** The bytes of one picture. */
export function pictureOf({ images: { data, shape } }: Pick<ImageSet, 'images'>, row: number): Uint8Array {
  const length = shape.slice(1).reduce((product, size) => product * size, 1)
  return data.subarray(row * length, (row + 1) * length)
}

export const rowsOfMask = (mask: Uint8Array | null) => [...(mask ?? [])].flatMap((value, row) => (value ? [row] : []))
