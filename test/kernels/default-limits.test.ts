import { describe, expect, it } from 'vitest'
import { openNodeGpu } from '../../src/backends/node-webgpu.js'
import { WebGpuBackend } from '../../src/backends/webgpu.js'
import { toActivationSet } from '../../src/core/activation-set.js'
import type { Context } from '../../src/core/backend.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { dispose } from '../../src/core/dispose.js'
import { callingLane } from '../../src/core/lane.js'
import { Rng } from '../../src/core/rng.js'
import { parseOptions } from '../../src/detectors/detector.js'
import { detectors } from '../../src/detectors/index.js'
import { topEigenvectors } from '../../src/linalg/top-eigenvectors.js'
import { noWebGpu } from '../support/each-backend.js'
import { planted } from '../support/planted.js'

/** A context on a device with the limits that WebGPU promises everywhere, whatever more the adapter has. */
async function openDefault(): Promise<Context> {
  const access = await openNodeGpu()
  const adapter = await access.gpu?.requestAdapter()
  if (!adapter) throw new Error('there is an adapter, or this suite would have been skipped')
  const backend = WebGpuBackend.on(await adapter.requestDevice(), 'default limits')
  const choice = { name: 'webgpu', adapter: 'default limits', reason: 'a test' } as const
  return {
    backend,
    choice,
    seed: 0,
    rng: new Rng(0),
    signal: undefined,
    memory: 2 ** 30,
    lanes: async () => [callingLane(undefined)],
    progress: () => undefined,
    [dispose]: () => backend[dispose](),
  }
}

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('within the default WebGPU limits', () => {
  it('every detector runs, and the directions are found by Gram matrices, block Krylov and filtered subspaces', async () => {
    using context = await openDefault()
    expect(context.backend.maxBindingBytes).toBe(128 * 2 ** 20)
    const input = planted({ seed: 2, rows: [70, 130], features: 70, poison: { target: 1, rate: 0.2, shift: 12 } })
    using set = await DeviceSet.upload(context, toActivationSet(input))
    for (const detector of detectors) {
      const result = await detector.detect(context, set, parseOptions(detector, {}))
      expect(result.status, JSON.stringify(result)).toBe('ran')
    }
    const byGram = await topEigenvectors(set, 10, 'gram')
    for (const method of ['krylov', 'filter'] as const) {
      const { values } = await topEigenvectors(set, 10, method)
      byGram.values.forEach((value, i) => {
        expect(Math.abs((values[i] as number) - value), method).toBeLessThan(1e-4 * (byGram.values[0] as number))
      })
    }
  })
})
