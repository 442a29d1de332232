import { dispose } from '../core/dispose.js'
import { adapterName, createBackend, isNullAdapter, isSoftware, type OpenGpu } from './create.js'
import { said } from './said.js'
import type { ThreadHost } from './thread-host.js'

export interface AdapterDescription {
  readonly vendor: string
  readonly architecture: string
  readonly device: string
  readonly description: string
  readonly software: boolean
  readonly limits: Readonly<Record<string, number>>
  readonly features: readonly string[]
}

export interface BackendDescription {
  readonly webgpu: { readonly available: boolean; readonly reason: string | null; readonly adapters: readonly AdapterDescription[] }
  readonly auto: { readonly name: 'cpu' | 'webgpu'; readonly adapter: string; readonly reason: string }
}

const limitsOfInterest = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const

/** What WebGPU offers here and what `auto` would take, without computing anything. */
export async function describeBackends(openGpu: OpenGpu, threadHost?: ThreadHost): Promise<BackendDescription> {
  const { backend, choice } = await createBackend({ backend: 'auto', softwareAdapters: false }, openGpu, threadHost)
  backend[dispose]()
  try {
    const access = await openGpu()
    if (!access.gpu) return { webgpu: { available: false, reason: access.reason, adapters: [] }, auto: choice }
    const adapters = new Map<string, AdapterDescription>()
    for (const powerPreference of ['high-performance', 'low-power'] as const) {
      const adapter = await access.gpu.requestAdapter({ powerPreference })
      if (adapter && !isNullAdapter(adapter)) adapters.set(adapterName(adapter), describe(adapter))
    }
    const reason = adapters.size === 0 ? 'WebGPU finds no adapter on this machine' : null
    return { webgpu: { available: true, reason, adapters: [...adapters.values()] }, auto: choice }
  } catch (error) {
    const reason = `asking for an adapter failed: ${said(error)}`
    return { webgpu: { available: false, reason, adapters: [] }, auto: choice }
  }
}

function describe(adapter: GPUAdapter): AdapterDescription {
  const { vendor, architecture, device, description } = adapter.info
  const limits = Object.fromEntries(limitsOfInterest.map((name) => [name, adapter.limits[name] ?? 0]))
  return { vendor, architecture, device, description, software: isSoftware(adapter), limits, features: [...adapter.features].sort() }
}
