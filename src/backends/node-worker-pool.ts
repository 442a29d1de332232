import { availableParallelism } from 'node:os'
import { startThread } from '../core/node-thread.js'
import type { ThreadHost } from './thread-host.js'

/** Worker threads of Node. None keeps the process alive. */
export const nodeThreads: ThreadHost = {
  available: availableParallelism(),
  callerTakesPart: true,
  without: async () => null,
  start(program, on) {
    const receive = `const { parentPort } = require('node:worker_threads')
assayThread.serve((handle) => parentPort.on('message', handle), (message) => parentPort.postMessage(message))`
    return startThread(`${program}\n${receive}`, on)
  },
}
