import { Rng } from '../../src/core/rng.js'

export interface PooledSize {
  readonly cols: number
  readonly classes: number
}

/** The class that holds poison, what it is taken from, and its share: rows of the source, moved part of the way, with a trigger. */
export const pooledPoison = { target: 3, source: 7, share: 0.02 } as const

const poolSize = 2 ** 20

/**
 * Rows at the price of a copy: a class's mean and the sum of two stretches of a pool of normal numbers, in units that differ from column to
 * column. No two rows are alike. Same size, same rows.
 */
export class PooledRows {
  readonly #cols: number
  readonly #rng = new Rng(1, 'pooled rows')
  readonly #pool: Float32Array
  readonly #scale: Float32Array
  readonly #means: readonly Float32Array[]
  readonly #poisoned: Float32Array

  constructor({ cols, classes }: PooledSize) {
    const rng = this.#rng
    this.#cols = cols
    this.#pool = Float32Array.from({ length: poolSize + cols }, () => rng.normal())
    this.#scale = Float32Array.from({ length: cols }, (_, j) => 0.7 * (0.3 + 1 / (1 + (j % 64) / 8)))
    this.#means = Array.from({ length: classes }, () => Float32Array.from({ length: cols }, () => 0.4 * rng.normal()))
    const [target, source] = [pooledPoison.target, pooledPoison.source].map((c) => this.#means[c] as Float32Array) as [
      Float32Array,
      Float32Array,
    ]
    this.#poisoned = target.map((value, j) => value + 0.4 * ((source[j] as number) - value) + 0.5 * rng.normal())
  }

  /** A class, drawn. */
  draw(): number {
    return this.#rng.below(this.#means.length)
  }

  /** Writes a row of class c at `at`: a clean one, or, of the target, a poisoned one now and then. */
  write(values: Float32Array, at: number, c: number, { clean = false } = {}): void {
    const rng = this.#rng
    const isPoison = !clean && c === pooledPoison.target && rng.float() < pooledPoison.share
    const mean = isPoison ? this.#poisoned : (this.#means[c] as Float32Array)
    const [one, other] = [rng.below(poolSize), rng.below(poolSize)]
    for (let j = 0; j < this.#cols; j++) {
      values[at + j] =
        (mean[j] as number) + (this.#scale[j] as number) * ((this.#pool[one + j] as number) + (this.#pool[other + j] as number))
    }
  }
}

/** A set in memory. */
export function pooledSet(rows: number, size: PooledSize) {
  const made = new PooledRows(size)
  const data = new Float32Array(rows * size.cols)
  const labels = new Int32Array(rows)
  for (let row = 0; row < rows; row++) {
    labels[row] = made.draw()
    made.write(data, row * size.cols, labels[row] as number)
  }
  return { activations: { data, rows, cols: size.cols }, labels }
}
