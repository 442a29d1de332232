/** Rows of `cols` numbers each, row-major. */
export interface Rows {
  readonly data: Float64Array
  readonly cols: number
}

/** Count, mean and centred scatter Σ(x − mean)·(x − mean)ᵀ (`[cols, cols]`, symmetric) of some rows. */
export interface Moments {
  readonly count: number
  readonly mean: Float64Array
  readonly scatter: Float64Array
}

/** Moments of the rows with `side[i] === value`. */
export function moments({ data, cols }: Rows, side: ArrayLike<number>, value: number): Moments {
  const mean = new Float64Array(cols)
  let count = 0
  for (let i = 0; i < side.length; i++) {
    if (side[i] !== value) continue
    count++
    for (let j = 0, at = i * cols; j < cols; j++, at++) mean[j] = (mean[j] as number) + (data[at] as number)
  }
  for (let j = 0; j < cols; j++) mean[j] = (mean[j] as number) / Math.max(count, 1)
  const scatter = new Float64Array(cols * cols)
  const centred = new Float64Array(cols)
  for (let i = 0; i < side.length; i++) {
    if (side[i] !== value) continue
    for (let j = 0, at = i * cols; j < cols; j++, at++) centred[j] = (data[at] as number) - (mean[j] as number)
    for (let j = 0; j < cols; j++) {
      const factor = centred[j] as number
      for (let k = 0, at = j * cols; k <= j; k++, at++) scatter[at] = (scatter[at] as number) + factor * (centred[k] as number)
    }
  }
  mirror(scatter, cols)
  return { count, mean, scatter }
}

/** The moments of what is left of `all` without `part`. */
export function without(all: Moments, part: Moments): Moments {
  const count = all.count - part.count
  const mean = all.mean.map((value, j) => (all.count * value - part.count * (part.mean[j] as number)) / Math.max(count, 1))
  const weight = count > 0 ? (part.count * count) / all.count : 0
  const cols = mean.length
  const apart = mean.map((value, j) => value - (part.mean[j] as number))
  const scatter = all.scatter.map(
    (value, at) => value - (part.scatter[at] as number) - weight * (apart[Math.floor(at / cols)] as number) * (apart[at % cols] as number),
  )
  return { count, mean, scatter }
}

function mirror(a: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[j * n + i] = a[i * n + j] as number
}

/** bᵀ·A·b of a symmetric A. */
export function quadratic(a: Float64Array, b: Float64Array): number {
  const n = b.length
  let sum = 0
  for (let i = 0; i < n; i++) {
    let row = 0
    for (let j = 0, at = i * n; j < i; j++, at++) row += (a[at] as number) * (b[j] as number)
    const own = b[i] as number
    sum += own * (2 * row + (a[i * n + i] as number) * own)
  }
  return sum
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += (a[j] as number) * (b[j] as number)
  return sum
}
