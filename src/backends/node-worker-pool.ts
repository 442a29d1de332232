import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { ThreadHost } from './thread-host.js'

/** Worker threads of Node. None keeps the process alive. */
export const nodeThreads: ThreadHost = {
  available: availableParallelism(),
  callerTakesPart: true,
  without: async () => null,
  start(program, on) {
    const receive = `const { parentPort } = require('node:worker_threads')
assayThread.serve((handle) => parentPort.on('message', handle), (message) => parentPort.postMessage(message))`
    // Flags of the process (a loader, --input-type) are not for this program.
    const worker = new Worker(`${program}\n${receive}`, { eval: true, execArgv: [], name: 'assay' })
    worker.on('message', on.message)
    worker.on('error', on.failure)
    worker.on('exit', (code) => on.failure(new Error(`it ended with code ${code}`)))
    worker.unref() // after the listeners, which take hold of it again
    return { post: (message) => worker.postMessage(message), ref: () => worker.ref(), unref: () => worker.unref() }
  },
}
