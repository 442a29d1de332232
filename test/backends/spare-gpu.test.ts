import { afterEach, describe, expect, it, vi } from 'vitest'
import { createBackend, type OpenGpu } from '../../src/backends/create.js'
import { SpareGpu } from '../../src/backends/spare-gpu.js'
import type { Backend } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import { type Disturbance, disturbedGpu, type Seen } from '../support/disturbed-gpu.js'
import { noWebGpu } from '../support/each-backend.js'
import { addShader, column, doubling } from './tiny-kernels.js'

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('a device that is kept for the next audit', () => {
  const spares: SpareGpu[] = []
  afterEach(() => {
    for (const spare of spares.splice(0)) spare.clear()
    vi.useRealTimers()
  })

  /** Devices of this machine, counted, with a place of their own where they wait. */
  function platform(disturb: Disturbance = {}): { open: OpenGpu; seen: Seen; devices: GPUDevice[]; spare: SpareGpu } {
    const spare = new SpareGpu()
    spares.push(spare)
    const devices: GPUDevice[] = []
    const { open, seen } = disturbedGpu({
      ...disturb,
      opened(device) {
        devices.push(device)
        disturb.opened?.(device)
      },
    })
    return {
      seen,
      devices,
      spare,
      open: async () => {
        const access = await open()
        return access.gpu ? { ...access, place: { spare } } : access
      },
    }
  }

  const onDevice = async (open: OpenGpu, signal?: AbortSignal) =>
    (await createBackend({ backend: 'webgpu', softwareAdapters: true, signal }, open)).backend

  async function doubled(backend: Backend, ...values: number[]): Promise<number[]> {
    using x = backend.upload(column(...values))
    using y = backend.run(doubling(), [x], undefined)
    return [...(await backend.read(y))]
  }

  it('serves it with all that was compiled, and without another self-test', async () => {
    const { open, seen, devices } = platform()
    // Its own kernel object, as a library has it.
    const kernel = doubling()
    const run = async (values: number[]) => {
      const backend = await onDevice(open)
      using x = backend.upload(column(...values))
      using y = backend.run(kernel, [x], undefined)
      const found = [...(await backend.read(y))]
      x[dispose]()
      y[dispose]()
      expect(backend.liveBytes).toBe(0)
      backend[dispose]()
      return found
    }
    expect(await run([1, 2, 3])).toEqual([2, 4, 6])
    const { pipelines, submits } = seen
    expect(await run([5, 6, 7])).toEqual([10, 12, 14])
    expect(devices).toHaveLength(1)
    expect(seen.pipelines).toBe(pipelines)
    expect(seen.submits - submits).toBeLessThan(submits)
    expect(seen.uncaptured).toEqual([])
  })

  it('serves one at a time: what runs beside it opens its own', async () => {
    const { open, devices } = platform()
    const [one, other] = [await onDevice(open), await onDevice(open)]
    expect(await Promise.all([doubled(one, 1), doubled(other, 2)])).toEqual([[2], [4]])
    one[dispose]()
    other[dispose]()
    expect(devices).toHaveLength(2)
    const third = await onDevice(open)
    expect(devices).toHaveLength(2)
    expect(await doubled(third, 4)).toEqual([8])
    third[dispose]()
  })

  it('is not used again after a failure, an abort, or where bytes are left on it', async () => {
    const failed = platform()
    const broken = await onDevice(failed.open)
    using x = broken.upload(column(1))
    using y = broken.run(doubling({ id: 'broken', shader: addShader('broken', 'this is no shader') }), [x], undefined)
    await expect(broken.read(y)).rejects.toMatchObject({ code: 'shader-error' })
    x[dispose]()
    y[dispose]()
    broken[dispose]()
    expect(await doubled(await onDevice(failed.open), 1)).toEqual([2])
    expect(failed.devices).toHaveLength(2)

    const aborted = platform()
    const aborter = new AbortController()
    const ended = await onDevice(aborted.open, aborter.signal)
    expect(await doubled(ended, 1)).toEqual([2])
    aborter.abort('enough')
    ended[dispose]()
    expect(await doubled(await onDevice(aborted.open), 1)).toEqual([2])
    expect(aborted.devices).toHaveLength(2)

    const littered = platform()
    const untidy = await onDevice(littered.open)
    untidy.upload(column(1))
    untidy[dispose]()
    expect(await doubled(await onDevice(littered.open), 1)).toEqual([2])
    expect(littered.devices).toHaveLength(2)
  })

  it('is not used where what was still under way on it fails, or it was lost meanwhile', async () => {
    const late = platform({ buffer: (nth, descriptor) => (nth === 1 ? { ...descriptor, usage: 0 } : descriptor) })
    const backend = await onDevice(late.open)
    // Nobody reads, so that nobody has heard of the failure when the backend is disposed.
    backend.upload(column(1))[dispose]()
    backend[dispose]()
    expect(await doubled(await onDevice(late.open), 1)).toEqual([2])
    expect(late.devices).toHaveLength(2)

    const lost = platform()
    const first = await onDevice(lost.open)
    expect(await doubled(first, 1)).toEqual([2])
    first[dispose]()
    lost.devices[0]?.destroy()
    await lost.devices[0]?.lost
    expect(await doubled(await onDevice(lost.open), 1)).toEqual([2])
    expect(lost.devices).toHaveLength(2)
  })

  it('goes after ten seconds, with its buffers', async () => {
    const { open, seen, devices } = platform()
    const backend = await onDevice(open)
    expect(await doubled(backend, 1)).toEqual([2])
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    backend[dispose]()
    expect(seen.live.size).toBeGreaterThan(0)
    vi.advanceTimersByTime(9_000)
    expect(seen.live.size).toBeGreaterThan(0)
    vi.advanceTimersByTime(2_000)
    expect(seen.live.size).toBe(0)
    vi.useRealTimers()
    expect((await devices[0]?.lost)?.reason).toBe('destroyed')
  })

  it('is not taken for a GPU by auto where it is a software adapter', async (test) => {
    const { open, spare } = platform()
    const backend = await onDevice(open)
    if (!backend.inSoftware) test.skip('the adapter is a GPU')
    expect(await doubled(backend, 1)).toEqual([2])
    backend[dispose]()
    expect(await spare.take({ software: false })).toBeNull()
    const again = await spare.take({ software: true })
    expect(again?.inSoftware).toBe(true)
    again?.[dispose]()
  })
})
