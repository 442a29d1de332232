import type { HostMatrix } from '../core/backend.js'
import type { Engine } from './engine.js'

/** How a kernel's work is cut. It hangs on shapes and tables alone, never on the number of threads: so do the bits of the result. */
export interface Cut {
  /** Pieces of each phase. A phase begins when all pieces of the one before are done. */
  readonly phases: readonly number[]
  /** float32 numbers that pieces hand on to the next phase in. */
  readonly scratch: number
  /** Multiply-adds or the like in all: little work is not worth waking threads. */
  readonly operations: number
}

/** What the pieces of one run work on: memory that all threads see. */
export interface Work<P> {
  readonly inputs: readonly HostMatrix[]
  readonly params: P
  /** All zeros at first. */
  readonly output: Float32Array
  /** What it holds at first is left over from the run before. */
  readonly scratch: Float32Array
}

/**
 * The WebAssembly form of a kernel. Pieces of a phase may run in any order and on any thread: each writes places of its own in the output
 * or the scratch. A piece takes some milliseconds.
 */
export interface Form<P> {
  cut(inputs: readonly HostMatrix[], params: P): Cut
  run(engine: Engine, work: Work<P>, phase: number, piece: number): void
}
