import type { Backend, BackendChoice } from '../core/backend.js'
import { BackendError } from '../core/errors.js'
import { callingLane, type Lane } from '../core/lane.js'
import { showText } from '../core/untrusted-text.js'
import { said } from './said.js'
import type { GpuPlace } from './spare-gpu.js'
import { noThreads, type ThreadHost } from './thread-host.js'
import { hasRelaxedSimd, hasSimd } from './wasm-features.js'
import type { WebGpuBackend } from './webgpu.js'

/** A WebGPU entry point, and a place for its devices, or why there is none. */
export type GpuAccess =
  | { readonly gpu: GPU; readonly place?: GpuPlace }
  | { readonly gpu: null; readonly reason: string; readonly cause?: unknown }

/** Opens WebGPU where the program runs: `navigator.gpu` in browsers, the optional `webgpu` package in Node. */
export type OpenGpu = () => Promise<GpuAccess>

export interface BackendOptions {
  /** `auto` takes a real GPU, else the CPU. A backend asked for by name is never replaced. */
  readonly backend: 'auto' | 'webgpu' | 'cpu'
  /** Lets `auto` take a software adapter as if it were a GPU. */
  readonly softwareAdapters: boolean
  /** Threads of the CPU path; as many as the machine runs at a time unless told. */
  readonly threads?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Chooses a backend and says which and why. Throws `BackendError` `backend-unavailable` where `webgpu` was asked for and is not to be had. */
export async function createBackend(
  options: BackendOptions,
  openGpu: OpenGpu,
  threadHost: ThreadHost = noThreads,
): Promise<{ backend: Backend; choice: BackendChoice }> {
  options.signal?.throwIfAborted()
  if (options.backend === 'cpu') return await onCpu(options, threadHost, 'asked for by name')
  const byName = options.backend === 'webgpu'
  const opened = await openDevice({ software: byName || options.softwareAdapters, signal: options.signal }, openGpu)
  if ('backend' in opened) {
    const reason = byName ? 'asked for by name' : opened.software ? 'a software adapter, which was allowed' : 'a GPU is there'
    return { backend: opened.backend, choice: { name: 'webgpu', adapter: opened.backend.adapter, reason } }
  }
  if (byName) {
    const message = `webgpu: asked for by name, but ${opened.reason}; pass --backend cpu, or auto to let Assay choose`
    throw new BackendError('backend-unavailable', message, { reason: opened.reason }, opened.cause)
  }
  return await onCpu(options, threadHost, opened.reason)
}

/** WebAssembly where the engine has SIMD and the page's policy allows it. It is loaded here, so that nobody else pays for it. */
async function onCpu(
  { signal, threads }: BackendOptions,
  host: ThreadHost,
  reason: string,
): Promise<{ backend: Backend; choice: BackendChoice }> {
  const plain = async (why: string) => {
    const { ReferenceBackend } = await import('./reference.js')
    const backend = new ReferenceBackend(signal)
    return { backend, choice: { name: 'cpu' as const, adapter: backend.adapter, reason: `${reason}; ${why}` } }
  }
  if (!hasSimd()) return await plain('this engine has no WebAssembly SIMD')
  try {
    const { WasmBackend } = await import('./wasm.js')
    const wanted = threads ?? host.available
    const without = wanted > 1 ? await host.without() : null
    const backend = await WasmBackend.open(host, { relaxed: hasRelaxedSimd(), threads: without === null ? wanted : 1, signal })
    const why = without === null ? '' : `, since ${without}`
    const used = `${backend.threads} ${backend.threads === 1 ? 'thread' : 'threads'}${why}`
    return { backend, choice: { name: 'cpu', adapter: backend.adapter, reason: `${reason}; ${used}` } }
  } catch (error) {
    return await plain(`WebAssembly does not start: ${said(error)}`)
  }
}

/** Threads for work on the host, whatever the backend: the calling one alone where WebAssembly or worker threads are not to be had. */
export async function createLanes(
  { signal, threads }: Pick<BackendOptions, 'signal' | 'threads'>,
  host: ThreadHost = noThreads,
): Promise<readonly Lane[]> {
  const wanted = threads ?? host.available
  if (wanted === 1 || !hasSimd()) return [callingLane(signal)]
  try {
    if ((await host.without()) !== null) return [callingLane(signal)]
    const { openLanes } = await import('./wasm.js')
    return await openLanes(host, { relaxed: hasRelaxedSimd(), threads: wanted, signal })
  } catch {
    return [callingLane(signal)] // no page has to allow WebAssembly
  }
}

type Opened = { backend: WebGpuBackend; software: boolean } | { reason: string; cause?: unknown }

async function openDevice(options: { software: boolean; signal: AbortSignal | undefined }, openGpu: OpenGpu): Promise<Opened> {
  try {
    const access = await openGpu()
    if (!access.gpu) return { reason: access.reason, cause: access.cause }
    const { place } = access
    const { signal } = options
    const load = () => import('./webgpu.js') // its shaders too, so that nobody else pays for them
    const kept = await place?.spare?.take(options)
    if (kept) return { backend: new (await load()).WebGpuBackend(kept, { signal, place }), software: kept.inSoftware }
    const adapter = await access.gpu.requestAdapter({ powerPreference: 'high-performance' })
    if (!adapter || isNullAdapter(adapter)) return { reason: 'WebGPU finds no adapter on this machine' }
    const software = isSoftware(adapter)
    const name = adapterName(adapter)
    if (software && !options.software) return { reason: `the only adapter is a software one (${name}), slower than the CPU path` }
    const { WebGpuBackend } = await load()
    const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits
    const device = await adapter.requestDevice({ requiredLimits: { maxStorageBufferBindingSize, maxBufferSize } })
    return { backend: WebGpuBackend.on(device, name, { signal, place }), software }
  } catch (cause) {
    return { reason: `opening the WebGPU device failed: ${said(cause)}`, cause }
  }
}

/** Vendor, architecture and description of an adapter, for people. */
export function adapterName({ info }: GPUAdapter): string {
  const parts = [info.vendor, info.architecture, info.description || info.device].filter(Boolean)
  return parts.length > 0 ? showText(parts.join(' '), 120) : 'unnamed adapter'
}

/** True for adapters that compute on the CPU (SwiftShader, lavapipe, WARP). */
export function isSoftware(adapter: GPUAdapter): boolean {
  return adapter.info.isFallbackAdapter === true
}

/** Dawn's null backend accepts every command and computes nothing. */
export function isNullAdapter(adapter: GPUAdapter): boolean {
  return /\bnull\b/i.test(`${adapter.info.description} ${adapter.info.device}`)
}
