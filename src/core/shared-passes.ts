import { pause } from './pause.js'

/** What one taker wants of a pass, and what it is given, one item after the other. */
export interface Asked<W, T> {
  readonly wanted: W
  /** Whether nothing more is taken. */
  readonly isOver: boolean
  /** Resolves when the taker is done with the item, and has asked for the next one or left. */
  give(item: T): Promise<void>
}

/** Gives what was asked for, for which it goes through the data once. */
export type Pass<W, T> = (asked: readonly Asked<W, T>[]) => Promise<void>

/** Told when a piece of work goes on and when it waits. */
export interface Watch {
  start(): void
  stop(): void
}

/** One of several pieces of work that share passes. */
export interface Sharer<W, T> {
  /** What the next pass gives. Each item is good until the next one is asked for. */
  take(wanted: W): AsyncGenerator<T, void, undefined>
  /** Waits for what another one does. */
  aside<O>(other: Promise<O>): Promise<O>
  /** It expects to want no more passes: those of others do not wait until it is done. */
  leave(): void
}

/**
 * Passes over the same data that several pieces of work share: when all of them that are left wait for a pass (or for what one of the others
 * finds), one pass gives each of them what it asked for. One that has ended, or that left its pass early, keeps nobody waiting. Where one
 * throws, the others do too, as soon as they have waited for something.
 */
export class SharedPasses<W, T> {
  readonly #pass: Pass<W, T>
  #asked: Taking<W, T>[] = []
  #underWay: Promise<void> | null = null
  /** Pieces of work that do not wait. */
  #atWork = 0
  #failed: { readonly error: unknown } | null = null

  constructor(pass: Pass<W, T>) {
    this.#pass = pass
  }

  /** Begins a piece of work; those that are to share the first pass are begun in one turn of the event loop. */
  async run<R>(work: (sharer: Sharer<W, T>) => Promise<R>, watch?: Watch): Promise<R> {
    let waiting = 0
    let isOver = false
    let hasLeft = false
    const go = () => {
      if (!hasLeft) this.#atWork++
      watch?.start()
    }
    const rest = () => {
      watch?.stop()
      if (!hasLeft) this.#atWork--
      this.#look()
    }
    const leave = () => {
      if (!hasLeft && waiting === 0) this.#atWork--
      hasLeft = true
      this.#look()
    }
    const aside = async <O>(other: Promise<O>): Promise<O> => {
      if (waiting++ === 0) rest()
      const found = await other.finally(() => {
        if (--waiting === 0 && !isOver) go()
      })
      if (this.#failed) throw this.#failed.error
      return found
    }
    go()
    try {
      return await work({ aside, leave, take: (wanted) => this.#take(wanted, aside) })
    } catch (error) {
      this.#failed ??= { error }
      for (const taking of this.#asked) taking.fail(error)
      throw error
    } finally {
      isOver = true
      if (waiting === 0) rest()
    }
  }

  /** Waits for the end of a pass that is under way, of which nobody may want more. */
  async end(): Promise<void> {
    await this.#underWay
  }

  async *#take(wanted: W, aside: Sharer<W, T>['aside']): AsyncGenerator<T, void, undefined> {
    if (this.#failed) throw this.#failed.error
    const taking = new Taking<W, T>(wanted)
    this.#asked.push(taking)
    try {
      for (;;) {
        const next = await aside(taking.next())
        if (next === null) return
        yield next.item
      }
    } finally {
      taking.leave()
    }
  }

  /** Begins a pass where all wait: soon, as what has just ended may be what one of them waits for. */
  #look(): void {
    const isIdle = () => this.#atWork === 0 && !this.#underWay && this.#asked.length > 0
    const begin = () => {
      if (!isIdle()) return
      this.#underWay = this.#begin().then(() => {
        this.#underWay = null
        this.#look()
      })
    }
    if (isIdle()) pause().then(begin)
  }

  async #begin(): Promise<void> {
    const asked = this.#asked.filter(({ isOver }) => !isOver)
    this.#asked = []
    try {
      if (asked.length > 0) await this.#pass(asked)
      for (const taking of asked) taking.end()
    } catch (error) {
      for (const taking of asked) taking.fail(error)
    }
  }
}

/** A hand-over from a pass to one taker. */
class Taking<W, T> implements Asked<W, T> {
  readonly wanted: W
  isOver = false
  /** Resolves when the taker asks. */
  #ready = settled<void>()
  #item = settled<{ readonly item: T } | null>()

  constructor(wanted: W) {
    this.wanted = wanted
  }

  next(): Promise<{ readonly item: T } | null> {
    const { promise } = this.#item
    this.#ready.resolve()
    return promise
  }

  async give(item: T): Promise<void> {
    await this.#ready.promise
    if (this.isOver) return
    const { resolve } = this.#item
    this.#ready = settled()
    this.#item = settled()
    resolve({ item })
    await this.#ready.promise
  }

  end(): void {
    this.#item.resolve(null)
  }

  fail(error: unknown): void {
    this.#item.reject(error)
  }

  leave(): void {
    this.isOver = true
    this.#ready.resolve()
  }
}

/** A promise that others settle; nobody has to wait for it. */
function settled<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((...both) => {
    ;[resolve, reject] = both
  })
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
