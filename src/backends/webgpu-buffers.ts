import type { DeviceMatrix, ElementType, Shape } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { BackendError } from '../core/errors.js'

// The numbers of GPUBufferUsage and GPUMapMode: the globals of those names are not there in Node.
export const bufferUsage = { mapRead: 0x1, mapWrite: 0x2, copySource: 0x4, copyDestination: 0x8, uniform: 0x40, storage: 0x80 } as const
export const mapMode = { read: 0x1, write: 0x2 } as const

/** Bytes of buffers that nobody uses and that wait for the next who wants one of their size. */
const keptBytes = 2 ** 27

interface Kept {
  readonly buffer: GPUBuffer
  readonly size: number
  readonly usage: number
}

/**
 * Creates buffers and counts the bytes of those that live. A device takes a millisecond to find memory for a large one and to take it back, so that those that are let go
 * are kept, within bounds, for the next of the same size and usage.
 */
export class BufferLedger {
  readonly device: GPUDevice
  #liveBytes = 0
  /** Those that were let go, oldest first. */
  readonly #kept: Kept[] = []
  #keptBytes = 0

  constructor(device: GPUDevice) {
    this.device = device
  }

  get liveBytes(): number {
    return this.#liveBytes
  }

  create(byteLength: number, usage: number): CountedBuffer {
    const size = Math.max(16, Math.ceil(byteLength / 4) * 4)
    const kept = this.#takeKept(size, usage)
    const buffer = kept ?? this.device.createBuffer({ size, usage })
    this.#liveBytes += size
    let live = true
    const end = (then: () => void) => {
      if (!live) return
      live = false
      this.#liveBytes -= size
      then()
    }
    return {
      buffer,
      isUsed: kept !== null,
      destroy: () => end(() => buffer.destroy()),
      release: () => end(() => this.#keep(buffer, size, usage)),
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

  /** Waits for a staged copy and has `copy` take it to the host. The buffer goes in any case; an abort ends the wait: mapping rejects. */
  async take<T>(staging: CountedBuffer, byteLength: number, signal: AbortSignal | undefined, copy: (bytes: ArrayBuffer) => T): Promise<T> {
    signal?.addEventListener('abort', staging.destroy, { once: true })
    try {
      await mapped(this.device, staging.buffer, mapMode.read)
      signal?.throwIfAborted()
      const taken = copy(staging.buffer.getMappedRange(0, byteLength))
      staging.buffer.unmap()
      staging.release()
      return taken
    } finally {
      signal?.removeEventListener('abort', staging.destroy)
      staging.destroy()
    }
  }

  /** Lets go of what is kept. */
  clear(): void {
    for (const { buffer } of this.#kept.splice(0)) buffer.destroy()
    this.#keptBytes = 0
  }

  #takeKept(size: number, usage: number): GPUBuffer | null {
    const at = this.#kept.findLastIndex((kept) => kept.size === size && kept.usage === usage)
    if (at < 0) return null
    this.#keptBytes -= size
    return this.#kept.splice(at, 1)[0]?.buffer ?? null
  }

  #keep(buffer: GPUBuffer, size: number, usage: number): void {
    this.#kept.push({ buffer, size, usage })
    this.#keptBytes += size
    while (this.#keptBytes > keptBytes) {
      const oldest = this.#kept.shift() as Kept
      this.#keptBytes -= oldest.size
      oldest.buffer.destroy()
    }
  }
}

/** Maps a whole buffer. A refused mapping rejects; unscoped, its error would be told a second time, on the console. */
export async function mapped(device: GPUDevice, buffer: GPUBuffer, mode: number): Promise<void> {
  device.pushErrorScope('validation')
  const wait = buffer.mapAsync(mode)
  device.popErrorScope().catch(() => undefined)
  await wait
}

export interface CountedBuffer {
  readonly buffer: GPUBuffer
  /** Whether it holds what somebody else left there, and not zeros. */
  readonly isUsed: boolean
  destroy(): void
  /** Leaves it, which has to be unmapped, to whoever wants one like it next. Work that was submitted before may still use it. */
  release(): void
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
    this.#buffer.release()
  }
}
