import type { GpuAccess, OpenGpu } from '../../src/backends/create.js'
import { openNodeGpu } from '../../src/backends/node-webgpu.js'

/**
 * Where a run on the machine's own WebGPU is disturbed. Every function gets the number of the call, from 1 over the whole run. One that
 * gets a descriptor gives the one that is used in its place; one that throws makes the call throw, or reject.
 */
export interface Disturbance {
  /** Before anything else is done with the device. */
  readonly opened?: (device: GPUDevice) => void
  /** Before the adapter is asked for a device. */
  readonly requested?: () => void
  readonly submitted?: (nth: number, device: GPUDevice) => void
  readonly buffer?: (nth: number, descriptor: GPUBufferDescriptor, device: GPUDevice) => GPUBufferDescriptor
  readonly shader?: (nth: number, descriptor: GPUShaderModuleDescriptor) => GPUShaderModuleDescriptor
  readonly pipeline?: (nth: number, descriptor: GPUComputePipelineDescriptor) => GPUComputePipelineDescriptor
  /** After the mapping was asked for. */
  readonly mapping?: (nth: number, device: GPUDevice) => void
  /** Before the bytes of a mapped buffer are taken, or written where it was mapped when it was made. */
  readonly taking?: (nth: number, device: GPUDevice, buffer: GPUBuffer) => void
}

/** What a run did on its device. */
export interface Seen {
  submits: number
  buffers: number
  shaders: number
  pipelines: number
  mappings: number
  takings: number
  /** The numbers of the submits that were the last ones before a mapping. */
  readonly submitsBeforeMapping: Set<number>
  /** Shader texts by label, which is the id of the kernel that used it first. */
  readonly code: Map<string, string>
  /** Errors that no error scope caught, which browsers and Dawn write to the console. */
  readonly uncaptured: string[]
  /** Buffers that were made and not destroyed. */
  readonly live: Set<GPUBuffer>
}

export function disturbedGpu(disturb: Disturbance = {}): { open: OpenGpu; seen: Seen } {
  const seen: Seen = {
    submits: 0,
    buffers: 0,
    shaders: 0,
    pipelines: 0,
    mappings: 0,
    takings: 0,
    submitsBeforeMapping: new Set(),
    code: new Map(),
    uncaptured: [],
    live: new Set(),
  }
  const open = async (): Promise<GpuAccess> => {
    const access = await openNodeGpu()
    if (!access.gpu) return access
    const { gpu } = access
    const requestAdapter = async (options?: GPURequestAdapterOptions) => {
      const adapter = await gpu.requestAdapter(options)
      if (!adapter) return null
      const requestDevice = adapter.requestDevice.bind(adapter)
      adapter.requestDevice = async (descriptor) => {
        disturb.requested?.()
        const device = await requestDevice(descriptor)
        watch(device, disturb, seen)
        disturb.opened?.(device)
        return device
      }
      return adapter
    }
    return { gpu: { requestAdapter } as unknown as GPU }
  }
  return { open, seen }
}

/** Counts what is done with the device, and disturbs it. */
function watch(device: GPUDevice, disturb: Disturbance, seen: Seen): void {
  device.onuncapturederror = ({ error }) => seen.uncaptured.push(error.message)
  const submit = device.queue.submit.bind(device.queue)
  device.queue.submit = (buffers) => {
    submit(buffers)
    seen.submits++
    disturb.submitted?.(seen.submits, device)
  }
  const createShaderModule = device.createShaderModule.bind(device)
  device.createShaderModule = (descriptor) => {
    seen.shaders++
    seen.code.set(descriptor.label ?? '', descriptor.code)
    return createShaderModule(disturb.shader?.(seen.shaders, descriptor) ?? descriptor)
  }
  const createComputePipeline = device.createComputePipeline.bind(device)
  device.createComputePipeline = (descriptor) => {
    seen.pipelines++
    return createComputePipeline(disturb.pipeline?.(seen.pipelines, descriptor) ?? descriptor)
  }
  const createBuffer = device.createBuffer.bind(device)
  device.createBuffer = (descriptor) => {
    seen.buffers++
    const buffer = createBuffer(disturb.buffer?.(seen.buffers, descriptor, device) ?? descriptor)
    seen.live.add(buffer)
    const [destroy, mapAsync, getMappedRange] = [
      buffer.destroy.bind(buffer),
      buffer.mapAsync.bind(buffer),
      buffer.getMappedRange.bind(buffer),
    ]
    buffer.destroy = () => {
      seen.live.delete(buffer)
      destroy()
    }
    buffer.mapAsync = async (...range) => {
      seen.submitsBeforeMapping.add(seen.submits)
      seen.mappings++
      const mapped = mapAsync(...range)
      try {
        disturb.mapping?.(seen.mappings, device)
      } catch (error) {
        await mapped
        throw error
      }
      return mapped
    }
    buffer.getMappedRange = (...range) => {
      seen.takings++
      disturb.taking?.(seen.takings, device, buffer)
      return getMappedRange(...range)
    }
    return buffer
  }
}
