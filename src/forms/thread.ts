import type { HostMatrix } from '../core/backend.js'
import { DoubleEngine, useDoubleEngine } from '../core/double-engine.js'
import type { Task } from '../core/lane.js'
import { Engine } from './engine.js'
import { Pieces } from './pieces.js'
import { formOf } from './registry.js'

/** What the calling thread sends: the compiled module once, then buffers to touch, runs and tasks. */
export type ToThread = { readonly module: WebAssembly.Module } | { readonly touch: readonly SharedArrayBuffer[] } | Run | TaskRun

/** One run of a kernel. The arrays lie in memory that all threads see. */
export interface Run {
  readonly id: number
  readonly form: string
  readonly inputs: readonly HostMatrix[]
  readonly params: unknown
  readonly output: Float32Array
  readonly scratch: Float32Array
  readonly state: Int32Array
  readonly phases: readonly number[]
  /** Says when it is done: nobody else takes part. */
  readonly isAlone?: boolean
}

/** A task of work on the host. */
export interface TaskRun {
  readonly id: number
  readonly task: string
  readonly input: unknown
  /** Not 0 when nobody wants the output any more. */
  readonly stop: Int32Array
}

/** What a thread says of a run or task that failed in it, or of a task that is done. */
export type FromThread = { readonly id: number } & ({ readonly failure: string } | { readonly output: unknown })

/** The tasks that a thread knows. */
export type Tasks = (name: string) => Task<unknown, unknown>

/** What a worker thread does: takes pieces of each run until there are none, and does tasks one after the other. */
export function serveThread(
  taskOf: Tasks,
  receive: (handle: (message: ToThread) => void) => void,
  tell: (message: FromThread) => void,
): void {
  let engine: Engine | null = null
  receive((message) => {
    if ('module' in message) {
      engine = new Engine(new WebAssembly.Instance(message.module))
      useDoubleEngine(new DoubleEngine(new WebAssembly.Instance(message.module)))
    } else if ('touch' in message) message.touch.forEach(touch)
    else if ('task' in message) doTask(taskOf, message, tell)
    else takePart(engine as Engine, message, tell)
  })
}

/** Adds nothing to each page: others may write there meanwhile. */
function touch(buffer: SharedArrayBuffer): void {
  const words = new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4))
  for (let at = 0; at < words.length; at += 1024) Atomics.add(words, at, 0)
}

function doTask(taskOf: Tasks, { id, task, input, stop }: TaskRun, tell: (message: FromThread) => void): void {
  try {
    const work = taskOf(task).run(input)
    let step = work.next()
    while (!step.done && Atomics.load(stop, 0) === 0) step = work.next()
    if (step.done) tell({ id, output: step.value })
  } catch (error) {
    tell({ id, failure: inWords(error) })
  }
}

function takePart(engine: Engine, run: Run, tell: (message: FromThread) => void): void {
  const pieces = new Pieces(run.state, run.phases)
  try {
    const form = formOf(run.form)
    for (let phase = 0; phase < run.phases.length; phase++) {
      while (pieces.runNext(phase, engine, form, run));
      // Work of the last phase that others do is waited for by the calling thread alone.
      while (phase + 1 < run.phases.length && !pieces.isDone(phase) && !pieces.stopped) pieces.wait(phase, Number.POSITIVE_INFINITY)
    }
    if (run.isAlone) tell({ id: run.id, output: null })
  } catch (error) {
    tell({ id: run.id, failure: inWords(error) })
    pieces.fail()
  }
}

const inWords = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))
