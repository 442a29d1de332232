import { opaque, type Value } from './pickle-values.js'

const maxMemo = 2 ** 20

/**
 * The stack of an unpickler with its marks, and its memo. `from`: the one that it goes on from, as it was at that moment and without changing
 * it. What is not there is undefined, or unknown: an unpickler would give up, and the walk goes on.
 */
export class PickleStack {
  private readonly values: Value[] = []
  private readonly marks: number[] = []
  private readonly memo = new Map<number, Value>()
  private readonly from: PickleStack | null
  /** How much of the other's values and marks is left below our own. */
  private below: number
  private marksBelow: number

  constructor(from: PickleStack | null = null) {
    this.from = from
    this.below = from?.depth ?? 0
    this.marksBelow = from?.marks.length ?? 0
  }

  get depth(): number {
    return this.below + this.values.length
  }

  /** What it holds in memory, marks too. */
  get size(): number {
    return this.values.length + this.marks.length
  }

  get memoSize(): number {
    return this.memo.size + (this.from?.memo.size ?? 0)
  }

  push(value: Value): void {
    this.values.push(value)
  }

  pop(): Value | undefined {
    if (this.values.length > 0) return this.values.pop()
    return this.below > 0 ? this.from?.values[--this.below] : undefined
  }

  top(): Value | undefined {
    return this.values.length > 0 ? this.values[this.values.length - 1] : this.from?.values[this.below - 1]
  }

  lastMark(): number | undefined {
    return this.marks.length > 0 ? this.marks[this.marks.length - 1] : this.from?.marks[this.marksBelow - 1]
  }

  mark(): void {
    this.marks.push(this.depth)
  }

  dropMark(): void {
    if (this.marks.length > 0) this.marks.pop()
    else if (this.marksBelow > 0) this.marksBelow--
  }

  /** The last items, from `depth` on, which go. */
  take(depth: number): Value[] {
    const own = this.values.splice(Math.max(0, depth - this.below))
    if (depth >= this.below) return own
    const lower = this.from?.values.slice(Math.max(0, depth), this.below) ?? []
    this.below = Math.max(0, depth)
    return [...lower, ...own]
  }

  /** The items above the last mark, which go with it. */
  sinceMark(): Value[] {
    const mark = this.lastMark() ?? 0
    this.dropMark()
    return this.take(mark)
  }

  memorise(key: number): void {
    const value = this.top()
    if (value === undefined) return
    // what is forgotten is taken for unknown, never for what it was before
    if (this.memo.size < maxMemo || this.memo.has(key)) this.memo.set(key, value)
  }

  /** What was memorised, or what nothing is known of. */
  recall(key: number): Value {
    return this.memo.get(key) ?? this.from?.memo.get(key) ?? opaque
  }
}
