import type { FromThread, ToThread } from '../forms/thread.js'

/** A worker thread. */
export interface Thread {
  post(message: ToThread): void
  /** Keeps the process alive until `unref`: what it waits for comes from the thread alone. */
  ref(): void
  unref(): void
}

/** How worker threads are had where the program runs. */
export interface ThreadHost {
  /** Threads that compute at the same time on this machine. */
  readonly available: number
  /** Whether the calling thread may block, and so takes part in the work; else it waits while as many workers do it. */
  readonly callerTakesPart: boolean
  /** Why there can be no worker threads, or null; asked before they are wanted. */
  without(): Promise<string | null>
  /** Starts a thread that runs `program` (it defines `assayThread.serve`) and does not keep the process alive. */
  start(program: string, on: { message(message: FromThread): void; failure(error: unknown): void }): Thread
}

/** Where all work is done by the thread that calls. */
export const noThreads: ThreadHost = {
  available: 1,
  callerTakesPart: true,
  without: async () => 'there are no worker threads here',
  start() {
    throw new RangeError('there are no worker threads here')
  },
}
