import { pause } from './pause.js'

/**
 * Runs host work that yields after every few milliseconds: other work then gets its turn, and an abort rejects with the signal's reason.
 */
export async function inTurns<T>(work: Generator<void, T, void>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
    await pause()
    signal?.throwIfAborted()
  }
}

/** Runs the same work to its end at once, where it is known to be short. */
export function atOnce<T>(work: Generator<void, T, void>): T {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}
