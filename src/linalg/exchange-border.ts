/** Where all centres and sizes are. */
export interface State {
  readonly at: Float64Array
  readonly sizes: Float64Array
}

/** What a border works in, `[rows]` each. */
export interface BorderRoom {
  readonly until: Float64Array
  readonly found: Uint32Array
}

/**
 * Which rows may move. A row stays as long as √f·(distance to its own centre) is less than √g·(distance to any other), f and g being the weights n/(n − 1) and
 * n/(n + 1) of the squares. When it was last looked at there was a margin between the two; since then neither can have changed by more than the centres have moved
 * and the roots of the weights have changed, times the largest distance there is. So a row that is left out would not have moved.
 */
export class Border {
  readonly #dims: number
  readonly #clusters: number
  /** Of each row, how much of `#drift` it takes until it has to be looked at again. */
  readonly #until: Float64Array
  readonly #found: Uint32Array
  #drift = 0
  /** No row is further from any centre. */
  readonly #reach: number

  constructor(
    { until, found }: BorderRoom,
    { dims, clusters, reach }: { readonly dims: number; readonly clusters: number; readonly reach: number },
  ) {
    this.#dims = dims
    this.#clusters = clusters
    this.#until = until.fill(-1)
    this.#found = found
    this.#reach = reach
  }

  /** Rows that are to be looked at, rising; good until the next call. */
  candidates(): Uint32Array {
    const until = this.#until
    const found = this.#found
    let count = 0
    for (let i = 0; i < until.length; i++) if ((until[i] as number) <= this.#drift) found[count++] = i
    return found.subarray(0, count)
  }

  /** Those rows, or the ones from a first one on, were looked at, with these margins. */
  seen(rows: Uint32Array | number, margins: Float64Array): void {
    const now = this.#drift - 1e-9 * this.#reach // less what rounding makes of margins
    if (typeof rows === 'number') for (let i = 0; i < margins.length; i++) this.#until[rows + i] = now + (margins[i] as number)
    else for (let i = 0; i < rows.length; i++) this.#until[rows[i] as number] = now + (margins[i] as number)
  }

  /** Rows moved meanwhile. */
  moved(before: State, now: State): void {
    /** How far the two centres have moved that moved furthest. */
    let [furthest, second] = [0, 0]
    let weights = 0
    let largest = 1
    for (let k = 0; k < this.#clusters; k++) {
      const [old, size] = [before.sizes[k] as number, now.sizes[k] as number]
      if (Math.min(old, size) < 3) {
        this.#until.fill(-1)
        return
      }
      let square = 0
      for (let j = k * this.#dims; j < (k + 1) * this.#dims; j++) square += ((now.at[j] as number) - (before.at[j] as number)) ** 2
      const way = Math.sqrt(square)
      second = Math.max(second, Math.min(furthest, way))
      furthest = Math.max(furthest, way)
      largest = Math.max(largest, old / (old - 1), size / (size - 1))
      weights = Math.max(weights, Math.abs(Math.sqrt(old / (old - 1)) - Math.sqrt(size / (size - 1))))
      weights = Math.max(weights, Math.abs(Math.sqrt(old / (old + 1)) - Math.sqrt(size / (size + 1))))
    }
    // √g is less than 1.
    this.#drift += Math.sqrt(largest) * (furthest + second) + 2 * weights * this.#reach
  }
}
