import type { GpuAccess } from './create.js'
import type { GpuPlace } from './spare-gpu.js'

const place: GpuPlace = {}

/** Opens the browser's own WebGPU. */
export async function openBrowserGpu(): Promise<GpuAccess> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu
  return gpu ? { gpu, place } : { gpu: null, reason: 'this browser has no WebGPU' }
}
