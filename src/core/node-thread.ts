import { Worker } from 'node:worker_threads'

/** A worker thread of Node. It does not keep the process alive but between `ref` and `unref`. */
export interface NodeThread<Question> {
  post(question: Question): void
  ref(): void
  unref(): void
  end(): void
}

/** Starts a thread that runs `program`, a classic script; `failure` is told of errors and of its end. */
export function startThread<Question, Answer>(
  program: string,
  on: { message(answer: Answer): void; failure(error: unknown): void },
): NodeThread<Question> {
  // Flags of the process (a loader, --input-type) are not for this program.
  const worker = new Worker(program, { eval: true, execArgv: [], name: 'assay' })
  worker.on('message', on.message)
  worker.on('error', on.failure)
  worker.on('exit', (code) => on.failure(new Error(`it ended with code ${code}`)))
  worker.unref() // after the listeners, which take hold of it again
  return {
    post: (question) => worker.postMessage(question),
    ref: () => worker.ref(),
    unref: () => worker.unref(),
    end: () => void worker.terminate(),
  }
}
