import { type ContextOptions, parseContextOptions } from './audit-options.js'
import { createBackend, createLanes, type OpenGpu } from './backends/create.js'
import type { ThreadHost } from './backends/thread-host.js'
import type { Context } from './core/backend.js'
import { dispose } from './core/dispose.js'
import { Rng } from './core/rng.js'

/** Makes a context: a backend, chosen as the options say, and the seed's stream. Dispose it (`using`) when the last read is done. */
export type ContextFactory = (options?: ContextOptions, onShare?: (share: number) => void) => Promise<Context>

/** Bytes that activations may take where the caller does not say, of the bytes that there are. */
export const defaultMemory = (machineMemory: number) => Math.min(Math.floor(machineMemory / 4), 4 * 2 ** 30)

/** Binds `createContext` to a way of opening WebGPU, to the bytes of memory that there are, and to worker threads. Throws `OptionError` on bad options, `BackendError` where a named backend is not to be had. */
export function contextFactory(
  openGpu: OpenGpu,
  machineMemory: () => number = () => Number.POSITIVE_INFINITY,
  threadHost?: ThreadHost,
): ContextFactory {
  return async (options = {}, onShare = () => undefined) => {
    const { memory = defaultMemory(machineMemory()), seed, ...parsed } = parseContextOptions(options)
    const { backend, choice } = await createBackend(parsed, openGpu, threadHost)
    const { signal } = parsed
    return {
      backend,
      choice,
      seed,
      rng: new Rng(seed),
      signal,
      memory,
      lanes: () => createLanes(parsed, threadHost),
      progress: onShare,
      [dispose]: () => backend[dispose](),
    }
  }
}
