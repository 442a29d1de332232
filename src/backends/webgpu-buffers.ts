import type { DeviceMatrix, ElementType, Shape } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { BackendError } from '../core/errors.js'

// The numbers of GPUBufferUsage and GPUMapMode: the globals of those names are not there in Node.
export const bufferUsage = { mapRead: 0x1, copySource: 0x4, copyDestination: 0x8, uniform: 0x40, storage: 0x80 } as const
const mapModeRead = 0x1

/** There is no memory for a buffer that is mapped when it is made. (Where others find none, an error scope says so.) */
export class OutOfMemory extends Error {}

/** Creates buffers and counts the bytes of those that live. */
export class BufferLedger {
  readonly device: GPUDevice
  #liveBytes = 0

  constructor(device: GPUDevice) {
    this.device = device
  }

  get liveBytes(): number {
    return this.#liveBytes
  }

  create(byteLength: number, usage: number, mappedAtCreation = false): CountedBuffer {
    const size = Math.max(16, Math.ceil(byteLength / 4) * 4)
    let buffer: GPUBuffer
    try {
      buffer = this.device.createBuffer({ size, usage, mappedAtCreation })
    } catch (cause) {
      if ((cause as Error).name !== 'RangeError') throw cause
      throw new OutOfMemory(`no memory for a buffer of ${size} bytes: ${(cause as Error).message}`, { cause })
    }
    this.#liveBytes += size
    let live = true
    return {
      buffer,
      destroy: () => {
        if (!live) return
        live = false
        this.#liveBytes -= size
        buffer.destroy()
      },
    }
  }

  storage(shape: Shape): CountedBuffer {
    return this.create(shape.rows * shape.cols * 4, bufferUsage.storage | bufferUsage.copySource | bufferUsage.copyDestination)
  }

  /** Enqueues a copy of `source`'s first `byteLength` bytes into a buffer that the host can map. */
  stage(source: GPUBuffer, byteLength: number): CountedBuffer {
    const staging = this.create(byteLength, bufferUsage.mapRead | bufferUsage.copyDestination)
    try {
      const encoder = this.device.createCommandEncoder()
      if (byteLength > 0) encoder.copyBufferToBuffer(source, 0, staging.buffer, 0, byteLength)
      this.device.queue.submit([encoder.finish()])
      return staging
    } catch (error) {
      staging.destroy()
      throw error
    }
  }

  /** Waits for a staged copy and takes it to the host. The buffer goes in any case; an abort ends the wait: mapping rejects. */
  async take(staging: CountedBuffer, byteLength: number, signal: AbortSignal | undefined): Promise<ArrayBuffer> {
    signal?.addEventListener('abort', staging.destroy, { once: true })
    try {
      // A refused mapping rejects; unscoped, its error would be told a second time, on the console.
      this.device.pushErrorScope('validation')
      const mapped = staging.buffer.mapAsync(mapModeRead)
      this.device.popErrorScope().catch(() => undefined)
      await mapped
      signal?.throwIfAborted()
      return staging.buffer.getMappedRange().slice(0, byteLength)
    } finally {
      signal?.removeEventListener('abort', staging.destroy)
      staging.destroy()
    }
  }
}

export interface CountedBuffer {
  readonly buffer: GPUBuffer
  destroy(): void
}

/** A matrix in a storage buffer. */
export class GpuMatrix implements DeviceMatrix {
  readonly rows: number
  readonly cols: number
  readonly type: ElementType
  readonly byteLength: number
  /** Tells whose matrix it is. */
  readonly ledger: BufferLedger
  /** A kernel's id, or `upload`. */
  readonly madeBy: string
  readonly #buffer: CountedBuffer
  #disposed = false

  constructor(shape: Shape, buffer: CountedBuffer, origin: { ledger: BufferLedger; madeBy: string }) {
    this.rows = shape.rows
    this.cols = shape.cols
    this.type = shape.type
    this.byteLength = shape.rows * shape.cols * 4
    this.#buffer = buffer
    this.ledger = origin.ledger
    this.madeBy = origin.madeBy
  }

  check(): void {
    if (this.#disposed) throw new BackendError('disposed', `webgpu: a ${this.rows} × ${this.cols} matrix was used after it was disposed`)
  }

  get buffer(): GPUBuffer {
    this.check()
    return this.#buffer.buffer
  }

  [dispose](): void {
    this.#disposed = true
    this.#buffer.destroy()
  }
}
