import type { ThreadHost } from './thread-host.js'

/** Web workers, in pages that are cross-origin isolated: elsewhere no memory can be shared. A page must not block, so it only waits. */
export const webThreads: ThreadHost = {
  available: globalThis.navigator?.hardwareConcurrency ?? 1,
  without: globalThis.crossOriginIsolated ? null : 'the page is not cross-origin isolated',
  callerTakesPart: false,
  start(program, on) {
    const receive = 'assayThread.serve((handle) => { onmessage = ({ data }) => handle(data) }, (message) => postMessage(message))'
    const url = URL.createObjectURL(new Blob([`${program}\n${receive}`], { type: 'text/javascript' }))
    const worker = new Worker(url)
    worker.onmessage = ({ data }) => on.message(data)
    worker.onerror = (event) => on.failure(event.error ?? new Error(event.message || 'it did not start'))
    return { post: (message) => worker.postMessage(message), ref: () => undefined, unref: () => undefined }
  },
}
