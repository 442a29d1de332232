import type { Rows } from './moments.js'

/** Two rows are near-duplicates at these shares of the typical squared distance of a class. */
const radii = [0.1, 0.2]
/** Rows that are compared with each other at most, and that the typical distance is taken over. */
const mostCompared = 1000
const mostSampled = 200

/**
 * How many of `members` (indices of `rows: [n, r]`) are not near-duplicates of each other: frames of one video, copies, resizings. Near
 * ones are joined, and the parts counted: the geometric mean over squared distances below a tenth and a fifth of the `typical` one of the whole class.
 * Of more than a thousand members every k-th is looked at, and the share goes for all. Members² / 2 · r multiply-adds at most, twice.
 */
export function* distinctRows(rows: Rows, members: readonly number[], typical: number): Generator<void, number, void> {
  if (members.length === 0) return 0
  const looked = everyOf(members, mostCompared)
  let logs = 0
  for (const radius of radii) logs += Math.log(yield* parts(rows, looked, radius * typical))
  return Math.exp(logs / radii.length) * (members.length / looked.length)
}

/** The median squared distance of two rows, over at most two hundred of them. */
export function typicalDistance(rows: Rows): number {
  const sampled = everyOf([...Array(rows.data.length / rows.cols).keys()], mostSampled)
  const distances: number[] = []
  for (let i = 0; i < sampled.length; i++) {
    for (let j = 0; j < i; j++) distances.push(squaredDistance(rows, sampled[i] as number, sampled[j] as number))
  }
  return distances.sort((a, b) => a - b)[distances.length >> 1] ?? 0
}

/** Connected parts of the members, two of them joined where they are as close as `limit`: 0 where most rows are equal. */
function* parts(rows: Rows, members: readonly number[], limit: number): Generator<void, number, void> {
  const parent = members.map((_, i) => i)
  const root = (i: number): number => {
    let at = i
    while (parent[at] !== at) {
      parent[at] = parent[parent[at] as number] as number
      at = parent[at] as number
    }
    return at
  }
  let count = members.length
  for (const [i, a] of members.entries()) {
    for (let j = 0; j < i; j++) {
      if (!areWithin(rows, a, members[j] as number, limit)) continue
      const [one, other] = [root(i), root(j)]
      if (one === other) continue
      parent[one] = other
      count--
    }
    if (i % 64 === 63) yield
  }
  return count
}

/** Whether two rows are as close as `limit`: most are not, which a few columns show. */
function areWithin({ data, cols }: Rows, a: number, b: number, limit: number): boolean {
  let sum = 0
  for (let j = 0, p = a * cols, q = b * cols; j < cols; j++, p++, q++) {
    const apart = (data[p] as number) - (data[q] as number)
    sum += apart * apart
    if (sum > limit) return false
  }
  return true
}

function squaredDistance({ data, cols }: Rows, a: number, b: number): number {
  let sum = 0
  for (let j = 0, p = a * cols, q = b * cols; j < cols; j++, p++, q++) sum += ((data[p] as number) - (data[q] as number)) ** 2
  return sum
}

function everyOf(items: readonly number[], most: number): number[] {
  const step = Math.max(1, Math.ceil(items.length / most))
  return items.filter((_, at) => at % step === 0)
}
