import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { Context } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import { BackendError } from '../../src/core/errors.js'
import { createContext } from '../../src/node.js'

export interface TestBackend {
  readonly name: 'cpu' | 'webgpu'
  open(options?: { seed?: number; signal?: AbortSignal }): Promise<Context>
}

const all: readonly TestBackend[] = [
  { name: 'cpu', open: (options) => createContext({ ...options, backend: 'cpu' }) },
  { name: 'webgpu', open: (options) => createContext({ ...options, backend: 'webgpu' }) },
]

/** Why WebGPU cannot be tested here, or null where it can. With REQUIRE_GPU=1 its absence fails a test instead of skipping. */
export const noWebGpu: string | null = await createContext({ backend: 'webgpu' }).then(
  (context) => {
    context[dispose]()
    return null
  },
  (error: unknown) => {
    if (error instanceof BackendError) return error.message
    throw error
  },
)

/** The backends that work here: the CPU, and WebGPU on whatever adapter there is, software ones included. */
export const backends: readonly TestBackend[] = all.filter(({ name }) => name === 'cpu' || noWebGpu === null)

export interface BackendUnderTest extends TestBackend {
  /** One context for the whole suite, so that shaders are compiled once. After each test it must hold no memory. */
  shared(): Promise<Context>
}

/** Runs a suite once on each backend. A missing GPU shows as a skipped suite, and as a failure with REQUIRE_GPU=1. */
export function describeEachBackend(title: string, suite: (backend: BackendUnderTest) => void): void {
  for (const backend of all) {
    if (backend.name === 'webgpu' && noWebGpu !== null) {
      describe.skipIf(process.env.REQUIRE_GPU !== '1')(`${title} on webgpu`, () => {
        it('needs an adapter', () => expect(noWebGpu).toBeNull())
      })
    } else {
      describe(`${title} on ${backend.name}`, () => {
        let opened: Promise<Context> | null = null
        suite({
          ...backend,
          shared: () => {
            opened ??= backend.open()
            return opened
          },
        })
        afterEach(async () => expect((await opened)?.backend.liveBytes ?? 0, 'bytes still held after the test').toBe(0))
        afterAll(async () => (await opened)?.[dispose]())
      })
    }
  }
}
