import { selectInPlace } from '../stats/median.js'
import type { Rows } from './moments.js'

/** Two rows are near-duplicates at these shares of the typical squared distance of a class. */
const radii = [0.2, 0.1]
/** Rows that are compared with each other at most, and that the typical distance is taken over. */
const mostCompared = 1000
const mostSampled = 200

/**
 * How many of `members` (indices of `rows: [n, r]`) are not near-duplicates of each other: frames of one video, copies, resizings. Near
 * ones are joined, and the parts counted: the geometric mean over squared distances below a tenth and a fifth of the `typical` one of the whole class.
 * Of more than a thousand members every k-th is looked at, and the share goes for all. Members² / 2 · r multiply-adds at most.
 */
export function* distinctRows(rows: Rows, members: readonly number[], typical: number): Generator<void, number, void> {
  if (members.length === 0) return 0
  const looked = everyOf(members, mostCompared)
  const [near, nearer] = radii.map((radius) => ({ limit: radius * typical, parts: new Parts(looked.length) })) as [Joining, Joining]
  for (const [i, a] of looked.entries()) {
    for (let j = 0; j < i; j++) {
      const distance = distanceUpTo(rows, a, looked[j] as number, near.limit)
      if (distance <= near.limit) near.parts.join(i, j)
      if (distance <= nearer.limit) nearer.parts.join(i, j)
    }
    if (i % 64 === 63) yield
  }
  return Math.sqrt(near.parts.count * nearer.parts.count) * (members.length / looked.length)
}

interface Joining {
  readonly limit: number
  readonly parts: Parts
}

/** The median squared distance of two rows, over at most two hundred of them. */
export function typicalDistance(rows: Rows): number {
  const sampled = everyOf([...Array(rows.data.length / rows.cols).keys()], mostSampled)
  const distances = new Float64Array((sampled.length * (sampled.length - 1)) / 2)
  let at = 0
  for (let i = 0; i < sampled.length; i++) {
    for (let j = 0; j < i; j++) distances[at++] = squaredDistance(rows, sampled[i] as number, sampled[j] as number)
  }
  return at > 0 ? selectInPlace(distances, at >> 1) : 0
}

/** Things that are joined two by two, and how many parts they make. */
class Parts {
  count: number
  readonly #parent: Uint32Array

  constructor(things: number) {
    this.count = things
    this.#parent = Uint32Array.from({ length: things }, (_, i) => i)
  }

  join(i: number, j: number): void {
    const [one, other] = [this.#root(i), this.#root(j)]
    if (one === other) return
    this.#parent[one] = other
    this.count--
  }

  #root(i: number): number {
    let at = i
    for (let above = this.#parent[at] as number; above !== at; above = this.#parent[at] as number) {
      this.#parent[at] = this.#parent[above] as number
      at = above
    }
    return at
  }
}

/** The squared distance of two rows where it is at most `limit`, otherwise something above it: most are, which a few columns show. */
function distanceUpTo({ data, cols }: Rows, a: number, b: number, limit: number): number {
  let sum = 0
  for (let j = 0, p = a * cols, q = b * cols; j < cols && sum <= limit; j++, p++, q++) {
    const apart = (data[p] as number) - (data[q] as number)
    sum += apart * apart
  }
  return sum
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
