import type { GpuAccess } from './create.js'

/** Opens the browser's own WebGPU. */
export async function openBrowserGpu(): Promise<GpuAccess> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu
  return gpu ? { gpu } : { gpu: null, reason: 'this browser has no WebGPU' }
}
