/** How far the logit of `target` is above the greatest of the others, for each row of `logits: [n, classes]`. */
export function marginsOf(logits: Float32Array, classes: number, target: number): Float64Array {
  const margins = new Float64Array(logits.length / classes)
  for (let row = 0; row < margins.length; row++) {
    const own = logits.subarray(row * classes, (row + 1) * classes)
    let best = Number.NEGATIVE_INFINITY
    for (let index = 0; index < classes; index++) if (index !== target) best = Math.max(best, own[index] as number)
    margins[row] = (own[target] as number) - best
  }
  return margins
}

/** The gradient by the logits of target − log Σ exp(others), a margin that is smooth where two others are close. Written to `out`. */
export function marginSeed(logits: Float32Array, target: number, out: Float32Array): void {
  let best = Number.NEGATIVE_INFINITY
  for (let index = 0; index < logits.length; index++) if (index !== target) best = Math.max(best, logits[index] as number)
  let sum = 0
  for (let index = 0; index < logits.length; index++) if (index !== target) sum += Math.exp((logits[index] as number) - best)
  for (let index = 0; index < logits.length; index++) {
    out[index] = index === target ? 1 : -Math.exp((logits[index] as number) - best) / sum
  }
}

/** The same for every row; `targetOf` says which class a row is pulled to. */
export function marginSeeds(classes: number, targetOf: (row: number) => number): (logits: Float32Array) => Float32Array {
  return (logits) => {
    const seeds = new Float32Array(logits.length)
    for (let row = 0; row * classes < logits.length; row++) {
      const [start, end] = [row * classes, (row + 1) * classes]
      marginSeed(logits.subarray(start, end), targetOf(row), seeds.subarray(start, end))
    }
    return seeds
  }
}

export function meanOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let index = 0; index < values.length; index++) sum += values[index] as number
  return sum / values.length
}
