import type { Kernel } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { UploadSlots } from './upload-slots.js'
import { BufferLedger } from './webgpu-buffers.js'
import { shaders } from './wgsl.gen.js'

/** A WebGPU device with what was made for it and may serve again: compiled pipelines, buffers, and the kernels whose self-test it passed. It serves one backend at a time. */
export class GpuDevice implements Disposable {
  readonly device: GPUDevice
  /** For people. */
  readonly adapter: string
  readonly buffers: BufferLedger
  readonly slots: UploadSlots
  readonly tested = new Set<unknown>()
  readonly #pipelines = new Map<string, GPUComputePipeline>()
  readonly #modules = new Map<string, GPUShaderModule>()
  #isGone = false

  constructor(device: GPUDevice, adapter: string) {
    this.device = device
    this.adapter = adapter
    this.buffers = new BufferLedger(device)
    this.slots = new UploadSlots(device)
    void device.lost.then(() => {
      this.#isGone = true
    })
  }

  /** Whether it was lost or destroyed. */
  get isGone(): boolean {
    return this.#isGone
  }

  get inSoftware(): boolean {
    return this.device.adapterInfo?.isFallbackAdapter === true
  }

  pipeline<P>(kernel: Kernel<P>, entryPoint: string): GPUComputePipeline {
    const key = `${kernel.shader}/${entryPoint}`
    let pipeline = this.#pipelines.get(key)
    if (!pipeline) {
      const module = this.#module(kernel)
      pipeline = this.device.createComputePipeline({ label: kernel.id, layout: 'auto', compute: { module, entryPoint } })
      this.#pipelines.set(key, pipeline)
    }
    return pipeline
  }

  [dispose](): void {
    this.#isGone = true
    this.buffers.clear()
    this.slots.clear()
    this.device.destroy()
  }

  /** Kernels may share a shader. */
  #module<P>({ id, shader = '' }: Kernel<P>): GPUShaderModule {
    let module = this.#modules.get(shader)
    if (!module) {
      module = this.device.createShaderModule({ label: id, code: shaders[shader] as string })
      this.#modules.set(shader, module)
    }
    return module
  }
}
