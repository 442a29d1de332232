import type { ThreadHost } from './thread-host.js'

/** Web workers, in pages that are cross-origin isolated: elsewhere no memory can be shared. A page must not block, so it only waits. */
export const webThreads: ThreadHost = {
  available: globalThis.navigator?.hardwareConcurrency ?? 1,
  callerTakesPart: false,
  async without() {
    if (!globalThis.crossOriginIsolated) return 'the page is not cross-origin isolated'
    started ??= startsWorkers()
    const starts = await started
    if (!starts) started = null // another try may succeed
    return starts ? null : 'a worker does not start here (a Content-Security-Policy has to allow worker-src blob:)'
  },
  start(program, on) {
    const receive = 'assayThread.serve((handle) => { onmessage = ({ data }) => handle(data) }, (message) => postMessage(message))'
    const worker = newWorker(`${program}\n${receive}`)
    worker.onmessage = ({ data }) => on.message(data)
    worker.onerror = (event) => on.failure(event.error ?? new Error(event.message || 'it did not start'))
    return { post: (message) => worker.postMessage(message), ref: () => undefined, unref: () => undefined }
  },
}

let started: Promise<boolean> | null = null
/** Milliseconds after which no answer is one. */
const startMs = 5000

/** Whether a worker starts. Policies, sandboxes and embedding pages forbid them, and only trying tells: some browsers throw, others send an error. */
async function startsWorkers(): Promise<boolean> {
  try {
    const worker = newWorker('postMessage(0)')
    const starts = await new Promise<boolean>((resolve) => {
      worker.onmessage = () => resolve(true)
      worker.onerror = () => resolve(false)
      setTimeout(() => resolve(false), startMs)
    })
    worker.terminate()
    return starts
  } catch {
    return false
  }
}

function newWorker(program: string): Worker {
  return new Worker(URL.createObjectURL(new Blob([program], { type: 'text/javascript' })))
}
