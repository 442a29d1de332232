import type { Task } from './core/lane.js'
import { divideClassTask } from './detectors/divide-class.js'
import { mostTellingTask } from './detectors/most-telling.js'
import { type FromThread, serveThread, type ToThread } from './forms/thread.js'
import { gramBandsTask, gramDeviationsTask } from './linalg/gram-bands.js'
import { exchangeTask } from './linalg/hartigan.js'
import { denseDirectionsTask } from './linalg/leave-one-out-eigen.js'
import { momentsTask } from './linalg/moments.js'
import { twoGroupsTask } from './linalg/two-groups.js'

const tasks: readonly Task<never, unknown>[] = [
  denseDirectionsTask,
  divideClassTask,
  exchangeTask,
  gramBandsTask,
  gramDeviationsTask,
  momentsTask,
  mostTellingTask,
  twoGroupsTask,
]

/** The program of a worker thread, which src/wasm/build.mjs bundles into a string. */
export function serve(receive: (handle: (message: ToThread) => void) => void, tell: (message: FromThread) => void): void {
  serveThread(taskOf, receive, tell)
}

function taskOf(name: string): Task<unknown, unknown> {
  const task = tasks.find((one) => one.name === name)
  if (!task) throw new RangeError(`no task is called ${name}`)
  return task as Task<unknown, unknown>
}
