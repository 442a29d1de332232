import { expect, it } from 'vitest'
import { createLanes } from '../../src/backends/create.js'
import { nodeThreads } from '../../src/backends/node-worker-pool.js'
import type { Lane } from '../../src/core/lane.js'
import { Rng } from '../../src/core/rng.js'
import { type ClassToDivide, divideClassTask } from '../../src/detectors/divide-class.js'

/** Rows of a class, the first `group` of them 8 standard deviations further along the second column. */
function classToDivide(rows: number, group: number): ClassToDivide {
  const rng = new Rng(5)
  const cols = 6
  const data = Float64Array.from({ length: rows * cols }, (_, at) => rng.normal() + (at < group * cols && at % cols === 1 ? 8 : 0))
  const identity = Float64Array.from({ length: cols * cols }, (_, at) => (at % (cols + 1) === 0 ? 1 : 0))
  return {
    rows: { data, cols },
    trusted: null,
    fits: null,
    others: [{ classIndex: 1, mean: Float64Array.from({ length: cols }, () => 20) }],
    covariances: [identity, identity],
    counts: [Number.MAX_SAFE_INTEGER, 300],
    directions: 6,
    seed: 3,
  }
}

const worker = (lanes: readonly Lane[]) => lanes[1] as Lane

it('is the calling thread alone for one thread, and as many as are wanted otherwise', async () => {
  expect(await createLanes({ threads: 1, signal: undefined }, nodeThreads)).toHaveLength(1)
  expect(await createLanes({ threads: 3, signal: undefined }, nodeThreads)).toHaveLength(3)
  expect(await createLanes({ threads: 3, signal: undefined })).toHaveLength(1)
})

it('a worker thread divides a class as the calling one does, bit for bit', async () => {
  const lanes = await createLanes({ threads: 2, signal: undefined }, nodeThreads)
  const [here, there] = await Promise.all(lanes.map((lane) => lane.run(divideClassTask, classToDivide(200, 30))))
  expect(here?.length).toBeGreaterThan(0)
  expect(there).toEqual(here)
  expect(here?.[0]?.side.reduce((sum, side) => sum + side, 0)).toBe(30)
  expect(Math.abs((here?.[0]?.groupMean[1] as number) - 8)).toBeLessThan(0.6)
})

it('an abort rejects at once with its reason, and the thread is free for the next task', async () => {
  const aborter = new AbortController()
  const lanes = await createLanes({ threads: 2, signal: aborter.signal }, nodeThreads)
  const work = worker(lanes).run(divideClassTask, classToDivide(20_000, 900))
  setTimeout(() => aborter.abort(new Error('enough')), 20)
  await expect(work).rejects.toThrow('enough')
  await expect(worker(lanes).run(divideClassTask, classToDivide(60, 20))).rejects.toThrow('enough')
  const others = await createLanes({ threads: 2, signal: undefined }, nodeThreads)
  expect(await worker(others).run(divideClassTask, classToDivide(60, 20))).not.toHaveLength(0)
})

it('what goes wrong in a thread is a BackendError that names the task', async () => {
  const lanes = await createLanes({ threads: 2, signal: undefined }, nodeThreads)
  await expect(worker(lanes).run({ ...divideClassTask, name: 'unheard of' }, classToDivide(60, 20))).rejects.toMatchObject({
    code: 'thread-failed',
    message: expect.stringMatching(/unheard of: RangeError: no task is called unheard of/),
  })
})
