import { Rng } from '../../src/core/rng.js'

export interface PlantedSize {
  readonly rows: number
  readonly cols: number
  readonly classes: number
}

/**
 * A set like the activations of a trained layer: every class has its own mean and 24 directions of falling variance, the first of which
 * holds two natural groups (2-means then has one clear answer, so that two implementations can be compared), and noise. 9 % of class 0
 * are shifted towards class 1. Same size, same bytes.
 */
export function plantedSet({ rows, cols, classes }: PlantedSize) {
  const rng = new Rng(11)
  const directions = 24
  const vector = () => {
    const values = Float64Array.from({ length: cols }, () => rng.normal())
    const norm = Math.hypot(...values)
    return values.map((value) => value / norm)
  }
  const means = Array.from({ length: classes }, () => vector().map((value) => 10 * value))
  const bases = Array.from({ length: classes }, () => Array.from({ length: directions }, vector))
  const data = new Float32Array(rows * cols)
  const labels = new Int32Array(rows)
  for (let row = 0; row < rows; row++) {
    const c = row % classes
    labels[row] = c
    const own = means[c] as Float64Array
    const source = c === 0 && rng.float() < 0.09 ? (means[1 % classes] as Float64Array) : own
    const values = data.subarray(row * cols, (row + 1) * cols)
    for (let j = 0; j < cols; j++) values[j] = 0.6 * (own[j] as number) + 0.4 * (source[j] as number) + 0.2 * rng.normal()
    ;(bases[c] as Float64Array[]).forEach((direction, k) => {
      const group = k === 0 ? (rng.float() < 0.3 ? 6 : -2.5) : 0
      const size = group + 2.5 * 0.85 ** k * rng.normal()
      for (let j = 0; j < cols; j++) values[j] = (values[j] as number) + size * (direction[j] as number)
    })
  }
  return { activations: { data, rows, cols }, labels }
}
