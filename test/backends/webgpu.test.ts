import { describe, expect, test, vi } from 'vitest'
import { createBackend } from '../../src/backends/create.js'
import { openNodeGpu } from '../../src/backends/node-webgpu.js'
import type { Backend } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import { BackendError } from '../../src/core/errors.js'
import { backends, noWebGpu } from '../support/each-backend.js'
import { addShader, column, doubling, doublingWgsl } from './tiny-kernels.js'

/** A backend together with the device under it. */
async function open(): Promise<{ backend: Backend; device: GPUDevice }> {
  let device: GPUDevice | undefined
  const { backend } = await createBackend({ backend: 'webgpu', softwareAdapters: true }, async () => {
    const access = await openNodeGpu()
    if (!access.gpu) return access
    const { gpu } = access
    const requestAdapter = async (options?: GPURequestAdapterOptions) => {
      const adapter = await gpu.requestAdapter(options)
      if (!adapter) return null
      const requestDevice = async (descriptor?: GPUDeviceDescriptor) => (device = await adapter.requestDevice(descriptor))
      return { info: adapter.info, limits: adapter.limits, requestDevice }
    }
    return { gpu: { requestAdapter } as unknown as GPU }
  })
  return { backend, device: device as unknown as GPUDevice }
}

const failure = async (work: () => Promise<unknown>): Promise<BackendError> => {
  try {
    await work()
  } catch (error) {
    if (error instanceof BackendError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe.skipIf(noWebGpu !== null && process.env.REQUIRE_GPU !== '1')('webgpu', () => {
  test.each([
    ['a shader that is no WGSL', 'this is no shader'],
    ['an entry point that is missing', '@compute @workgroup_size(1) fn other() {}'],
  ])('%s shows at the read, naming adapter and kernel', async (_, wgsl) => {
    const { backend } = await open()
    const x = backend.upload(column(1))
    const y = backend.run(doubling({ id: 'nonsense', shader: addShader('nonsense', wgsl) }), [x], undefined)
    const error = await failure(() => backend.read(y))
    expect(error.code).toBe('shader-error')
    expect(error.message).toContain(`webgpu (${backend.adapter}): nonsense: `)
    expect((await failure(async () => backend.run(doubling(), [x], undefined))).code).toBe('shader-error')
    for (const matrix of [x, y]) matrix[dispose]()
    expect(backend.liveBytes).toBe(0)
    backend[dispose]()
  })

  test('a failure is seen by every read that waits', async () => {
    const { backend } = await open()
    const x = backend.upload(column(1))
    const y = backend.run(doubling({ shader: addShader('nonsense', 'nonsense') }), [x], undefined)
    const results = await Promise.allSettled([backend.read(y), backend.read(y), backend.read(x)])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    backend[dispose]()
  })

  test('a device that is lost shows at the read, whether it goes before the work or while a read waits', async () => {
    for (const when of ['before', 'while waiting'] as const) {
      const { backend, device } = await open()
      const x = backend.upload(column(1, 2, 3))
      if (when === 'before') device.destroy()
      const error = await failure(async () => {
        const y = backend.run(doubling(), [x], undefined)
        const read = backend.read(y)
        if (when !== 'before') device.destroy()
        await read
      })
      expect(error.message).toContain(backend.adapter)
      expect(['device-lost', 'read-failed']).toContain(error.code)
      await vi.waitFor(async () => expect((await failure(async () => backend.upload(column(1)))).code).toBe(error.code))
      backend[dispose]()
    }
  })

  test('a context that is disposed while a read waits says so, and leaves no bytes behind', async () => {
    const { backend } = await open()
    const x = backend.upload(column(1))
    const y = backend.run(doubling(), [x], undefined)
    const read = failure(() => backend.read(y))
    backend[dispose]()
    expect((await read).code).toBe('disposed')
    for (const matrix of [x, y]) matrix[dispose]()
    await vi.waitFor(() => expect(backend.liveBytes).toBe(0))
  })

  test('a call into the device that throws becomes a BackendError and leaves no bytes behind', async () => {
    const { backend, device } = await open()
    const x = backend.upload(column(1))
    vi.spyOn(device, 'createCommandEncoder').mockImplementation(() => {
      throw new RangeError('no memory for that')
    })
    const error = await failure(async () => backend.run(doubling(), [x], undefined))
    expect(error).toMatchObject({ code: 'run-failed', cause: { message: 'no memory for that' } })
    expect(error.message).toContain('doubling')
    expect(backend.liveBytes).toBe(x.byteLength > 16 ? x.byteLength : 16)
    backend[dispose]()
  })

  test('a device that computes wrong numbers is caught by the self-test of the kernel, at the first read', async () => {
    const { backend } = await open()
    using x = backend.upload(column(5))
    const shader = addShader('tripling', doublingWgsl.replace('copy[id] + copy[id]', '3.0 * copy[id]'))
    using y = backend.run(doubling({ id: 'tripling', shader }), [x], undefined)
    const error = await failure(() => backend.read(y))
    expect(error).toMatchObject({ code: 'wrong-results' })
    expect(error.message).toContain(backend.adapter)
    expect(error.message).toContain('tripling gives wrong numbers here (value 0 is 3, expected 2)')
    backend[dispose]()
  })

  test('what does not fit one buffer is refused before it is made', async () => {
    const { backend } = await open()
    const rows = backend.maxBindingBytes / 4 + 1
    const huge = { rows, cols: 1, type: 'f32' as const }
    const tooLong = Object.defineProperties(new Float32Array(0), { length: { value: rows }, byteLength: { value: rows * 4 } })
    expect((await failure(async () => backend.upload({ ...huge, data: tooLong }))).code).toBe('too-large')
    const grown = doubling({ plan: () => ({ output: huge, scratch: [], passes: [] }) })
    const error = await failure(async () => backend.run(grown, [], undefined))
    expect(error).toMatchObject({ code: 'too-large', details: { byteLength: rows * 4 } })
    expect(error.message).toMatch(/doubling needs a buffer of .* bytes/)
    const scratch = doubling({ plan: () => ({ output: { rows: 1, cols: 1, type: 'f32' }, scratch: [huge], passes: [] }) })
    expect((await failure(async () => backend.run(scratch, [], undefined))).code).toBe('too-large')
    expect(backend.liveBytes).toBe(0)
    backend[dispose]()
  })

  test('a matrix of another device is refused', async () => {
    const [one, other] = [await open(), await open()]
    const x = one.backend.upload(column(1))
    expect((await failure(async () => other.backend.run(doubling(), [x], undefined))).code).toBe('foreign-matrix')
    one.backend[dispose]()
    other.backend[dispose]()
  })

  test('many contexts come and go, aborted ones too, without bringing the process down', async () => {
    const webgpu = backends.find(({ name }) => name === 'webgpu')
    for (let i = 0; i < 15; i++) {
      const aborter = new AbortController()
      const context = await webgpu?.open({ signal: aborter.signal })
      if (!context) throw new Error('there is no webgpu')
      const x = context.backend.upload(column(1, 2))
      const y = context.backend.run(doubling(), [x], undefined)
      const read = context.backend.read(y).catch((reason: unknown) => reason)
      if (i % 2) aborter.abort('enough')
      expect(await read).toEqual(i % 2 ? 'enough' : Float32Array.of(2, 4))
      context[dispose]()
    }
  })
})
