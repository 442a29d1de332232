import { describe, expect, test, vi } from 'vitest'
import { adapterName, createBackend, createLanes, type OpenGpu } from '../../src/backends/create.js'
import { describeBackends } from '../../src/backends/describe.js'
import { openNodeGpu } from '../../src/backends/node-webgpu.js'
import { nodeThreads } from '../../src/backends/node-worker-pool.js'
import { dispose } from '../../src/core/dispose.js'
import { BackendError } from '../../src/core/errors.js'

interface Fake {
  readonly info?: Record<string, unknown>
  readonly device?: () => Promise<unknown>
  readonly ask?: () => Promise<never>
}

/** A WebGPU that has the adapter described, or none; `destroyed` counts how often its device was. */
function fakeGpu(adapter: Fake | null) {
  const counts = { destroyed: 0 }
  let lose: (info: unknown) => void = () => undefined
  const limits = { maxStorageBufferBindingSize: 1000, maxBufferSize: 2000 }
  const device = {
    limits,
    lost: new Promise((resolve) => (lose = resolve)),
    destroy: () => {
      counts.destroyed++
      lose({ reason: 'destroyed', message: '' })
    },
  }
  const info = { vendor: 'acme', architecture: 'one', device: '0x1', description: 'Acme One', isFallbackAdapter: false, ...adapter?.info }
  const found = adapter && { info, limits, requestDevice: adapter.device ?? (async () => device) }
  const open: OpenGpu = async () => ({ gpu: { requestAdapter: adapter?.ask ?? (async () => found) } as unknown as GPU })
  return { open, counts }
}

const auto = { backend: 'auto', softwareAdapters: false } as const
const byName = { backend: 'webgpu', softwareAdapters: false } as const
const broken: OpenGpu = async () => {
  throw new Error('no such symbol')
}
const missing: OpenGpu = async () => ({ gpu: null, reason: 'the package is not installed', cause: new Error('no such module') })

describe('auto', () => {
  test('takes a real GPU, and destroys its device once when it is disposed', async () => {
    const { open, counts } = fakeGpu({})
    const { backend, choice } = await createBackend(auto, open)
    expect(choice).toEqual({ name: 'webgpu', adapter: 'acme one Acme One', reason: 'a GPU is there' })
    expect(backend.maxBindingBytes).toBe(1000)
    expect(counts).toEqual({ destroyed: 0 })
    backend[dispose]()
    backend[dispose]()
    expect(counts).toEqual({ destroyed: 1 })
  })

  test.each([
    ['there is no WebGPU', missing, 'the package is not installed'],
    ['there is no adapter', fakeGpu(null).open, 'finds no adapter'],
    ['the adapter computes nothing', fakeGpu({ info: { description: 'Dawn null backend' } }).open, 'finds no adapter'],
    ['the adapter is a software one', fakeGpu({ info: { isFallbackAdapter: true } }).open, 'software one (acme one Acme One)'],
    [
      'the device does not open',
      fakeGpu({ device: () => Promise.reject(new Error('consumed\u001b[31m')) }).open,
      'failed: consumed\\u{1b}[31m',
    ],
    [
      'the device does not open, and says nothing',
      fakeGpu({ device: () => Promise.reject(new DOMException('', 'OperationError')) }).open,
      'failed: OperationError',
    ],
    [
      'the device does not open, for a reason that is no error',
      fakeGpu({ device: () => Promise.reject(undefined) }).open,
      'failed: undefined',
    ],
    [
      'an adapter cannot even be asked for',
      fakeGpu({ ask: () => Promise.reject(new Error('no display\n  here')) }).open,
      'failed: no display here',
    ],
    ['WebGPU does not open', broken, 'failed: no such symbol'],
  ])('takes the CPU and says why where %s', async (_, open, reason) => {
    const { backend, choice } = await createBackend(auto, open)
    expect(choice.name).toBe('cpu')
    expect(backend.name).toBe('cpu')
    expect(choice.reason).toContain(reason)
  })

  test('takes a software adapter where that is allowed', async () => {
    const { choice } = await createBackend({ ...auto, softwareAdapters: true }, fakeGpu({ info: { isFallbackAdapter: true } }).open)
    expect(choice).toMatchObject({ name: 'webgpu', reason: 'a software adapter, which was allowed' })
  })
})

describe('by name', () => {
  test.each([
    ['there is no WebGPU', missing],
    ['there is no adapter', fakeGpu(null).open],
    ['the adapter computes nothing', fakeGpu({ info: { device: 'null' } }).open],
    ['the device does not open', fakeGpu({ device: () => Promise.reject(new Error('consumed')) }).open],
    ['an adapter cannot even be asked for', fakeGpu({ ask: () => Promise.reject(new Error('no display')) }).open],
    ['WebGPU does not open', broken],
  ])('webgpu is never replaced: it throws where %s', async (_, open) => {
    const error = await createBackend(byName, open).then(
      () => null,
      (caught: unknown) => caught as BackendError,
    )
    expect(error).toBeInstanceOf(BackendError)
    expect(error?.code).toBe('backend-unavailable')
    expect(error?.message).toMatch(/^webgpu: asked for by name, but .*; pass --backend cpu, or auto/)
  })

  test('the cause is kept', async () => {
    await expect(createBackend(byName, missing)).rejects.toMatchObject({ cause: { message: 'no such module' } })
  })

  test('webgpu takes a software adapter', async () => {
    const { choice } = await createBackend(byName, fakeGpu({ info: { isFallbackAdapter: true } }).open)
    expect(choice).toMatchObject({ name: 'webgpu', reason: 'asked for by name' })
  })

  test('cpu does not even look for a GPU', async () => {
    const { choice } = await createBackend({ ...byName, backend: 'cpu' }, () => expect.fail('it looked'))
    expect(choice.reason).toBe('asked for by name; 1 thread')
  })
})

test('WebAssembly that is refused gives way to plain TypeScript, and is tried again by the next', async () => {
  vi.resetModules() // nothing is compiled yet
  const { createBackend: create } = await import('../../src/backends/create.js')
  const compile = vi.spyOn(WebAssembly, 'compile').mockRejectedValueOnce(new WebAssembly.CompileError('refused by the policy'))
  const cpu = { ...auto, backend: 'cpu' } as const
  const { choice: refused } = await create(cpu, missing)
  expect(refused).toMatchObject({ adapter: 'plain TypeScript, float64 sums', reason: expect.stringContaining('refused by the policy') })
  expect((await create(cpu, missing)).choice.adapter).toMatch(/^WASM SIMD/)
  compile.mockRestore()
})

test('an engine without WebAssembly computes in plain TypeScript', async () => {
  vi.stubGlobal('WebAssembly', undefined)
  Reflect.deleteProperty(globalThis, 'WebAssembly')
  const { choice } = await createBackend({ ...auto, backend: 'cpu' }, missing)
  vi.unstubAllGlobals()
  expect(choice.reason).toBe('asked for by name; this engine has no WebAssembly SIMD')
})

test('threads that do not start leave the calling one, and the reason says why', async () => {
  const host = { ...nodeThreads, without: async () => 'a worker does not start here' }
  const { choice } = await createBackend({ ...auto, backend: 'cpu', threads: 3 }, missing, host)
  expect(choice.reason).toBe('asked for by name; 1 thread, since a worker does not start here')
  expect(await createLanes({ threads: 3 }, host)).toHaveLength(1)
})

test('an abort that has happened already is seen first', async () => {
  await expect(createBackend({ ...auto, signal: AbortSignal.abort('enough') }, () => expect.fail('it looked'))).rejects.toBe('enough')
})

test('an adapter’s name is cut and made safe to show', () => {
  const named = (info: object) => adapterName({ info } as unknown as GPUAdapter)
  expect(named({ vendor: '', architecture: '', description: '', device: '' })).toBe('unnamed adapter')
  expect(named({ vendor: 'v', architecture: '', description: '', device: 'd' })).toBe('v d')
  expect(named({ vendor: '\u001b]0;x', description: 'y'.repeat(500) })).toMatch(/^\\u\{1b\}\]0;x y+…$/)
})

test('Node’s GPU object is one for all, and held as long as the process lives', async () => {
  const [first, second] = [await openNodeGpu(), await openNodeGpu()]
  if (!first.gpu || !second.gpu) return expect(first).toHaveProperty('reason')
  expect(second.gpu).toBe(first.gpu)
  expect(Reflect.get(globalThis, Symbol.for('assay.node-webgpu'))).toEqual({ gpu: first.gpu })
})

test('what is there is told also where WebGPU, or its adapters, cannot be asked', async () => {
  for (const open of [broken, fakeGpu({ ask: () => Promise.reject(new Error('no display')) }).open]) {
    const { webgpu, auto } = await describeBackends(open)
    expect(webgpu).toMatchObject({ available: false, adapters: [] })
    expect(webgpu.reason).toMatch(/no such symbol|no display/)
    expect(auto.name).toBe('cpu')
  }
})
