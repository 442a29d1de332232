import type { GpuAccess } from './create.js'
import type { GpuPlace } from './spare-gpu.js'

/**
 * The object that Dawn's `create()` returned must outlive every adapter and device made from it, and every promise of theirs that is still
 * pending: collecting it earlier crashes the process. Counting users is not enough (after an abort, error scopes and mappings settle
 * later than the device is lost), so it is held here, reachable from the global object, for as long as the process lives: one for all.
 */
interface Held {
  gpu: GPU | null
}

const key = Symbol.for('assay.node-webgpu')

function held(): Held {
  const global = globalThis as { [key]?: Held }
  global[key] ??= { gpu: null }
  return global[key]
}

/**
 * Dawn writes two lines of its own to stderr where Linux has no Vulkan loader, and then finds no adapter: looking for the loader first
 * keeps the terminal clean. (Opening a library that is no Node module always throws; the message tells whether it was there.)
 */
function lacksVulkan(): boolean {
  if (process.platform !== 'linux') return false
  try {
    process.dlopen({ exports: {} }, 'libvulkan.so.1')
  } catch (error) {
    return /cannot open shared object file/.test((error as Error).message)
  }
  return false
}

const place: GpuPlace = {}

/** Opens WebGPU through the optional native package `webgpu` (Dawn); says why where that is not installed or does not load. */
export async function openNodeGpu(): Promise<GpuAccess> {
  let dawn: typeof import('webgpu')
  try {
    dawn = await import('webgpu')
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    const reason = missing
      ? 'the optional package "webgpu" is not installed (npm install webgpu@0.6.2)'
      : `the optional package "webgpu" does not load here: ${(cause as Error).message.split('\n', 1)[0]}`
    return { gpu: null, reason, cause }
  }
  if (lacksVulkan()) return { gpu: null, reason: 'this machine has no Vulkan loader (libvulkan.so.1), so WebGPU finds no adapter' }
  const record = held()
  record.gpu ??= dawn.create([])
  return { gpu: record.gpu, place }
}
