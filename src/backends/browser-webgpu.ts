import type { GpuAccess } from './create.js'
import { SpareGpu } from './spare-gpu.js'

const spare = new SpareGpu()

/** Opens the browser's own WebGPU. */
export async function openBrowserGpu(): Promise<GpuAccess> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu
  return gpu ? { gpu, spare } : { gpu: null, reason: 'this browser has no WebGPU' }
}
