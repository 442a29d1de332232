/** What a size analysis says of one class. */
export interface SizeAnalysis {
  /** Clusters called poison. */
  readonly poison: readonly number[]
  /** Share of the rows in each cluster, rounded to two digits, as published. */
  readonly shares: readonly number[]
}

/** Rows in each cluster of one class; `assigned[i]` is a cluster index. */
export function clusterSizes(assigned: ArrayLike<number>): number[] {
  const sizes: number[] = []
  for (let i = 0; i < assigned.length; i++) {
    const k = assigned[i] as number
    while (sizes.length <= k) sizes.push(0)
    sizes[k] = (sizes[k] as number) + 1
  }
  return sizes
}

/** Index of the smallest cluster that has rows; ties go to the lowest index. */
export function smallestCluster(sizes: readonly number[]): number {
  return sizes.reduce((best, size, k) => (size > 0 && (best < 0 || size < (sizes[best] as number)) ? k : best), -1)
}

const shares = (sizes: readonly number[], rows: number) => sizes.map((size) => Math.round((100 * size) / rows) / 100)

const split = (sizes: readonly number[]) => sizes.filter((size) => size > 0).length > 1

/** Calls the smallest cluster poison, whatever its size: always accuses someone (Chen et al. 2018, the baseline of §4). */
export function smallerAnalysis(assigned: ArrayLike<number>): SizeAnalysis {
  const sizes = clusterSizes(assigned)
  return { poison: split(sizes) ? [smallestCluster(sizes)] : [], shares: shares(sizes, assigned.length) }
}

/** Calls a cluster poison where it holds less than `threshold` of the class's rows (Chen et al. 2018, relative size; 0.35). */
export function relativeSizeAnalysis(assigned: ArrayLike<number>, threshold: number): SizeAnalysis {
  const sizes = clusterSizes(assigned)
  const poison = sizes.flatMap((size, k) => (split(sizes) && size > 0 && size / assigned.length < threshold ? [k] : []))
  return { poison, shares: shares(sizes, assigned.length) }
}

/**
 * Calls the smaller of two clusters poison where its median lies nearer to another class's median than to its own class's, while its
 * sibling's does not. `smaller`, `larger`, `own` and `others` are per-column medians in one common space (the activations): medians in
 * each class's own projection, as in the published code, cannot be compared.
 */
export function distanceAnalysis(medians: {
  smaller: Float64Array
  larger: Float64Array
  own: Float64Array
  others: readonly Float64Array[]
}): boolean {
  const nearerToAnother = (cluster: Float64Array) => {
    const own = squaredDistance(cluster, medians.own)
    return medians.others.some((other) => squaredDistance(cluster, other) < own)
  }
  return nearerToAnother(medians.smaller) && !nearerToAnother(medians.larger)
}

function squaredDistance(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let j = 0; j < a.length; j++) sum += ((a[j] as number) - (b[j] as number)) ** 2
  return sum
}
