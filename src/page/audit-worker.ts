import type { FromWorker, ToWorker } from './messages.js'

/** A worker that is replaced when what it does is no longer wanted: that ends reading and computing at once and gives all memory back. */
export class AuditWorker {
  readonly #program: string
  readonly #hear: (message: FromWorker) => void
  #worker: Worker | null = null

  /** `program`: the text of the bundled `worker.ts`. `hear` gets what the current worker says, and a problem where it breaks. */
  constructor(program: string, hear: (message: FromWorker) => void) {
    this.#program = program
    this.#hear = hear
  }

  post(message: ToWorker): void {
    this.#worker ??= this.#start()
    this.#worker.postMessage(message)
  }

  /** Ends what is being done. What was audited is forgotten too. */
  stop(): void {
    this.#worker?.terminate()
    this.#worker = null
  }

  #start(): Worker {
    const url = URL.createObjectURL(new Blob([this.#program], { type: 'text/javascript' }))
    const worker = new Worker(url)
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (worker === this.#worker) this.#hear(data)
    }
    worker.onerror = ({ message }) => {
      if (worker !== this.#worker) return
      this.stop()
      const said = message || 'this browser does not start a worker here'
      this.#hear({
        kind: 'problem',
        message: `The audit broke off: ${said}. Close other tabs if memory is short, and try again.`,
        isInput: false,
      })
    }
    return worker
  }
}
