import type { Engine } from './engine.js'
import type { Form, Work } from './form.js'

// A run's state, uint32 words that all threads see: whether to stop, whether a piece failed, then two words a phase.
const stopAt = 0
const failedAt = 1
const nextAt = (phase: number) => 2 + 2 * phase
const doneAt = (phase: number) => 3 + 2 * phase

/** ES2024, which not every browser has yet. */
const { waitAsync } = Atomics as {
  readonly waitAsync?: (
    state: Int32Array,
    at: number,
    value: number,
    ms: number,
  ) => { readonly async: boolean; readonly value: Promise<unknown> }
}

/** The pieces of one run, shared out among threads: each takes the next one that nobody has. */
export class Pieces {
  readonly state: Int32Array
  readonly phases: readonly number[]

  constructor(state: Int32Array, phases: readonly number[]) {
    this.state = state
    this.phases = phases
  }

  static words(phases: readonly number[]): number {
    return 2 + 2 * phases.length
  }

  get stopped(): boolean {
    return Atomics.load(this.state, stopAt) !== 0
  }

  get failed(): boolean {
    return Atomics.load(this.state, failedAt) !== 0
  }

  /** Lets no further piece begin, and wakes whoever waits. */
  stop(): void {
    Atomics.store(this.state, stopAt, 1)
    for (let phase = 0; phase < this.phases.length; phase++) Atomics.notify(this.state, doneAt(phase))
  }

  fail(): void {
    Atomics.store(this.state, failedAt, 1)
    this.stop()
  }

  /** Runs the next piece of a phase; false where there is none left. */
  runNext<P>(phase: number, engine: Engine, form: Form<P>, work: Work<P>): boolean {
    const count = this.phases[phase] as number
    const piece = Atomics.add(this.state, nextAt(phase), 1)
    if (piece >= count || this.stopped) return false
    form.run(engine, work, phase, piece)
    if (Atomics.add(this.state, doneAt(phase), 1) + 1 === count) Atomics.notify(this.state, doneAt(phase))
    return true
  }

  isDone(phase: number): boolean {
    return Atomics.load(this.state, doneAt(phase)) >= (this.phases[phase] as number)
  }

  /** Waits as `wait` does, but without blocking; null at once where there is nothing to wait for, or the engine cannot. */
  waitAsync(phase: number, ms: number): Promise<unknown> | null {
    const done = Atomics.load(this.state, doneAt(phase))
    if (this.stopped || done >= (this.phases[phase] as number)) return null
    const waited = waitAsync?.(this.state, doneAt(phase), done, ms)
    return waited?.async ? waited.value : null
  }

  /** Blocks until the phase is done or the run stopped, for at most `ms`. */
  wait(phase: number, ms: number): void {
    const done = Atomics.load(this.state, doneAt(phase))
    if (!this.stopped && done < (this.phases[phase] as number)) Atomics.wait(this.state, doneAt(phase), done, ms)
  }
}
