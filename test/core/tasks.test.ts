import { expect, it } from 'vitest'
import type { Context } from '../../src/core/backend.js'
import { callingLane, type Lane, type Task } from '../../src/core/lane.js'
import { runTasks } from '../../src/core/tasks.js'

const square: Task<number, number> = {
  name: 'square',
  *run(n) {
    yield
    if (n < 0) throw new RangeError('negative')
    return n * n
  },
}

const contextOf = (lanes: readonly Lane[]) => ({ lanes: async () => lanes }) as unknown as Context

/** A lane that answers `delayed` ms later and counts what it did. */
function slowLane(delayed: number) {
  const lane = {
    tasks: 0,
    async run<I, O>(task: Task<I, O>, input: I): Promise<O> {
      lane.tasks++
      await new Promise((resolve) => setTimeout(resolve, delayed))
      return await callingLane(undefined).run(task, input)
    },
  }
  return lane
}

it('gives outputs in the order of the inputs, however lanes differ, and says how many are done', async () => {
  const lanes = [slowLane(12), slowLane(1), callingLane(undefined)]
  const seen: number[] = []
  const progress = (done: number) => seen.push(done)
  const outputs = await runTasks(contextOf(lanes), square, { count: 7, input: async (i) => i, progress })
  expect(outputs).toEqual([0, 1, 4, 9, 16, 25, 36])
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7])
})

it('asks for no lane more than there are inputs, and for none where there are none', async () => {
  const lanes = [slowLane(1), slowLane(1)]
  const progress = () => undefined
  expect(await runTasks(contextOf(lanes), square, { count: 0, input: async (i) => i, progress })).toEqual([])
  await runTasks(contextOf(lanes), square, { count: 1, input: async (i) => i, progress })
  expect(lanes.map(({ tasks }) => tasks)).toEqual([1, 0])
})

it('begins no further task when one fails', async () => {
  const lane = slowLane(5)
  const inputs = [1, -1, 2, 3, 4, 5, 6, 7]
  const given = { count: inputs.length, input: async (i: number) => inputs[i] as number, progress: () => undefined }
  await expect(runTasks(contextOf([callingLane(undefined), lane]), square, given)).rejects.toThrow('negative')
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(lane.tasks).toBeLessThanOrEqual(2)
})

it('stops the calling thread’s task when it is aborted', async () => {
  const aborter = new AbortController()
  const endless: Task<null, never> = {
    name: 'endless',
    *run() {
      for (;;) yield
    },
  }
  const work = callingLane(aborter.signal).run(endless, null)
  setTimeout(() => aborter.abort(new Error('enough')), 5)
  await expect(work).rejects.toThrow('enough')
})
