import { BackendError } from '../core/errors.js'
import { callingLane, type Lane, type Task } from '../core/lane.js'
import { pause } from '../core/pause.js'
import type { Engine } from '../forms/engine.js'
import type { Form, Work } from '../forms/form.js'
import { Pieces } from '../forms/pieces.js'
import type { FromThread, Run, ToThread } from '../forms/thread.js'
import { said } from './said.js'
import type { Thread, ThreadHost } from './thread-host.js'

/** A task that a thread has been asked to do. */
interface Asked {
  readonly thread: Thread
  done(output: unknown): void
  fail(failure: string): void
}

/** Milliseconds that the calling thread blocks before the event loop gets a turn. */
const waitMs = 4

/**
 * Worker threads that share the pieces of runs with the calling thread. They start when they are first needed, serve every backend of the
 * process and wait without cost in between. One that ends takes its runs down with it, and new ones start at the next run.
 */
export class Threads {
  readonly #host: ThreadHost
  readonly #module: WebAssembly.Module
  readonly #program: string
  #threads: Thread[] = []
  readonly #runs = new Map<number, { readonly pieces: Pieces; failure: string | null }>()
  readonly #tasks = new Map<number, Asked>()
  #lastId = 0

  constructor(host: ThreadHost, module: WebAssembly.Module, program: string) {
    this.#host = host
    this.#module = module
    this.#program = program
  }

  /** Starts what `threads` threads need and is not there yet. */
  start(threads: number): void {
    const workers = this.#host.callerTakesPart ? threads - 1 : threads
    while (this.#threads.length < workers) {
      const thread = this.#host.start(this.#program, {
        message: (message) => this.#hear(message),
        failure: (error) => this.#lose(thread, said(error)),
      })
      thread.post({ module: this.#module })
      this.#threads.push(thread)
    }
  }

  /** Has a worker make the system find the memory of these buffers, which hold on to what is in them. */
  touch(buffers: readonly SharedArrayBuffer[]): void {
    this.#threads[0]?.post({ touch: buffers })
  }

  /**
   * Runs all phases of a form on `threads` threads, the calling one among them where it may block. `stop` throws when the run is to end.
   * Throws `BackendError` `thread-failed` where a thread fails or ends.
   */
  async run<P>(
    { name, form, phases, work }: { name: string; form: Form<P>; phases: readonly number[]; work: Work<P> },
    { threads, engine, piecesPerTurn, stop }: { threads: number; engine: Engine; piecesPerTurn: number; stop: () => void },
  ): Promise<void> {
    this.start(threads)
    const pieces = new Pieces(new Int32Array(new SharedArrayBuffer(4 * Pieces.words(phases))), phases)
    const id = ++this.#lastId
    const entry: { readonly pieces: Pieces; failure: string | null } = { pieces, failure: null }
    this.#runs.set(id, entry)
    const run: Run = { ...work, id, form: name, state: pieces.state, phases }
    const { callerTakesPart } = this.#host
    const useful = Math.max(...phases) - (callerTakesPart ? 1 : 0)
    for (const thread of this.#threads.slice(0, Math.min(useful, callerTakesPart ? threads - 1 : threads))) thread.post(run)
    try {
      for (let phase = 0; phase < phases.length && !pieces.failed; phase++) {
        while (!pieces.isDone(phase) && !pieces.failed) {
          if (callerTakesPart) {
            let taken = 0
            while (taken < piecesPerTurn && pieces.runNext(phase, engine, form, work)) taken++
            if (taken < piecesPerTurn) pieces.wait(phase, waitMs)
            if (pieces.isDone(phase)) break
          }
          await ((callerTakesPart ? null : pieces.waitAsync(phase, waitMs)) ?? pause())
          stop()
        }
      }
      while (pieces.failed && entry.failure === null) await pause() // what failed is on its way
      if (entry.failure !== null)
        throw new BackendError('thread-failed', `cpu: a thread failed in ${name}: ${entry.failure}`, { kernel: name })
    } finally {
      pieces.stop()
      this.#runs.delete(id)
    }
  }

  /** Runs all phases of a form on one worker alone. Throws `BackendError` `thread-failed` as `run` does. */
  async beside<P>({ name, phases, work }: { name: string; phases: readonly number[]; work: Work<P> }, threads: number): Promise<void> {
    this.start(threads)
    const { state } = new Pieces(new Int32Array(new SharedArrayBuffer(4 * Pieces.words(phases))), phases)
    await this.#answer(this.#threads[0] as Thread, name, (id) => ({ ...work, id, form: name, state, phases, isAlone: true }))
  }

  /** The threads that tasks run on: the workers that `threads` threads need, and the calling one where it may block. */
  lanes(threads: number, signal: AbortSignal | undefined): Lane[] {
    this.start(threads)
    const workers = this.#threads.slice(0, this.#host.callerTakesPart ? threads - 1 : threads)
    const lanes = workers.map((thread): Lane => ({ run: (task, input) => this.#ask(thread, task, input, signal) }))
    return this.#host.callerTakesPart ? [callingLane(signal), ...lanes] : lanes
  }

  /** Has a thread do a task; rejects with the signal's reason, or with `BackendError` `thread-failed`. */
  #ask<I, O>(thread: Thread, { name }: Task<I, O>, input: I, signal: AbortSignal | undefined): Promise<O> {
    return this.#answer(thread, name, (id, stop) => ({ id, task: name, input, stop }), signal) as Promise<O>
  }

  /** What a thread says when it has done what it is asked. */
  async #answer(
    thread: Thread,
    name: string,
    message: (id: number, stop: Int32Array) => ToThread,
    signal?: AbortSignal | undefined,
  ): Promise<unknown> {
    signal?.throwIfAborted()
    const id = ++this.#lastId
    const stop = new Int32Array(new SharedArrayBuffer(4))
    let onAbort = () => {}
    thread.ref()
    try {
      return await new Promise<unknown>((resolve, reject) => {
        onAbort = () => {
          Atomics.store(stop, 0, 1)
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        const fail = (failure: string) =>
          reject(new BackendError('thread-failed', `cpu: a thread failed in ${name}: ${failure}`, { task: name }))
        this.#tasks.set(id, { thread, done: resolve, fail })
        thread.post(message(id, stop))
      })
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.#tasks.delete(id)
      if (![...this.#tasks.values()].some((other) => other.thread === thread)) thread.unref()
    }
  }

  #hear(message: FromThread): void {
    if ('output' in message) this.#tasks.get(message.id)?.done(message.output)
    else this.#fail(message.id, message.failure)
  }

  #fail(id: number, failure: string): void {
    this.#tasks.get(id)?.fail(failure)
    const run = this.#runs.get(id)
    if (!run) return
    run.failure ??= failure
    run.pieces.fail()
  }

  /** Nobody knows which pieces the thread had taken, so every run that is on fails. */
  #lose(thread: Thread, why: string): void {
    this.#threads = this.#threads.filter((other) => other !== thread)
    for (const id of this.#runs.keys()) this.#fail(id, why)
    for (const task of this.#tasks.values()) if (task.thread === thread) task.fail(why)
  }
}
