import { inTurns } from './turns.js'

/**
 * Work on the host in plain values, such as a structured clone keeps, under the name that worker threads know it by. It yields every few
 * milliseconds, and what it returns hangs on its input alone.
 */
export interface Task<I, O> {
  readonly name: string
  run(input: I): Generator<void, O, void>
}

/** A thread that does one task at a time. */
export interface Lane {
  run<I, O>(task: Task<I, O>, input: I): Promise<O>
}

/** The thread that calls: other work gets its turn, and an abort rejects with the signal's reason. */
export function callingLane(signal: AbortSignal | undefined): Lane {
  return { run: (task, input) => inTurns(task.run(input), signal) }
}
