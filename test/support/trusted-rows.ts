import type { Planted } from './planted.js'

/** The first `perClass` clean rows of each class, as rows that are held to be trusted. */
export function trustedRows({ activations: { data, cols }, labels, poison }: Planted, perClass: number) {
  const rows = [...new Set(labels)].flatMap((label) =>
    [...labels.keys()].filter((row) => labels[row] === label && !poison[row]).slice(0, perClass),
  )
  return {
    activations: {
      data: Float32Array.from(rows.flatMap((row) => [...data.subarray(row * cols, (row + 1) * cols)])),
      rows: rows.length,
      cols,
    },
    labels: rows.map((row) => labels[row] as number),
  }
}
