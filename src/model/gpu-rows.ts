import type { RowBlocksInput } from '../core/activation-rows.js'
import { dispose } from '../core/dispose.js'
import { BackendError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

// The values of GPUBufferUsage and GPUMapMode: the globals are not there in every scope.
const usage = { mapRead: 1, copySrc: 4, copyDst: 8, storage: 128 } as const
const mapRead = 1

/** A buffer with whole rows, `start` … `start + rows − 1` of all. */
interface Part {
  readonly buffer: GPUBuffer
  readonly start: number
  readonly rows: number
}

/**
 * Activations `[rows, cols]`, float32, that stay on a WebGPU device: rows are put in by copies from buffer to buffer, and `blocks` reads them back block by block when
 * an audit asks for them, at every pass. Whoever made them disposes them; the device is the caller's.
 */
export class GpuRows implements RowBlocksInput, Disposable {
  readonly rows: number
  readonly cols: number
  readonly #device: GPUDevice
  readonly #parts: readonly Part[]
  /** What the device says of what was asked of it, before it is known. */
  readonly #said: Promise<string | null>[] = []
  #disposed = false

  /** Throws `BackendError` `too-large` where one row is more than a buffer of the device takes. */
  constructor(device: GPUDevice, { rows, cols }: { readonly rows: number; readonly cols: number }) {
    this.rows = rows
    this.cols = cols
    this.#device = device
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits
    const most = Math.floor(Math.min(maxBufferSize, maxStorageBufferBindingSize) / (4 * cols))
    if (most < 1)
      throw new BackendError('too-large', `webgpu: a row of ${cols} activations is more than a buffer takes; name another tensor`)
    const starts = Array.from({ length: Math.ceil(rows / most) }, (_, index) => index * most)
    this.#parts = this.#scoped(() =>
      starts.map((start) => {
        const own = Math.min(most, rows - start)
        const buffer = device.createBuffer({ size: own * cols * 4, usage: usage.storage | usage.copySrc | usage.copyDst })
        return { buffer, start, rows: own }
      }),
    )
  }

  /** The buffers, in the order of the rows, for whoever goes on on the same device. */
  get buffers(): readonly { readonly buffer: object; readonly start: number; readonly rows: number }[] {
    return this.#parts
  }

  /** Copies rows that lie at the beginning of `from` to `start` and those after it. What is wrong with that shows in `settle` and in `blocks`. */
  put(from: GPUBuffer, start: number, rows: number): void {
    this.#scoped(() => {
      const encoder = this.#device.createCommandEncoder()
      for (const part of this.#overlapping(start, start + rows)) {
        const { first, count } = part
        encoder.copyBufferToBuffer(from, this.#bytes(first - start), part.buffer, this.#bytes(first - part.start), this.#bytes(count))
      }
      this.#device.queue.submit([encoder.finish()])
    })
  }

  /** Waits for what the device says of what was asked so far. Throws `BackendError` `device-failed`, `device-lost`. */
  async settle(): Promise<void> {
    for (const said of this.#said.splice(0)) {
      const error = await said
      if (error !== null) throw failed('device-failed', error)
    }
  }

  /** Throws `BackendError` as `settle` does, and `disposed`. */
  async *blocks(rowsPerBlock: number): AsyncGenerator<Float32Array, void, undefined> {
    for (let start = 0; start < this.rows; start += rowsPerBlock) {
      yield await this.#read(start, Math.min(start + rowsPerBlock, this.rows))
    }
  }

  [dispose](): void {
    this.#disposed = true
    for (const { buffer } of this.#parts) buffer.destroy()
  }

  async #read(start: number, end: number): Promise<Float32Array> {
    if (this.#disposed) throw failed('disposed', 'activations were used after they were disposed')
    const staged = this.#scoped(() => {
      const buffer = this.#device.createBuffer({ size: this.#bytes(end - start), usage: usage.mapRead | usage.copyDst })
      const encoder = this.#device.createCommandEncoder()
      for (const part of this.#overlapping(start, end)) {
        const { first, count } = part
        encoder.copyBufferToBuffer(part.buffer, this.#bytes(first - part.start), buffer, this.#bytes(first - start), this.#bytes(count))
      }
      this.#device.queue.submit([encoder.finish()])
      return buffer
    })
    try {
      const mapped = staged.mapAsync(mapRead).catch((cause: unknown) => {
        throw failed('device-lost', cause instanceof Error ? cause.message : String(cause), cause)
      })
      await Promise.all([mapped, this.settle()])
      return new Float32Array(staged.getMappedRange().slice(0))
    } finally {
      staged.destroy()
    }
  }

  /** Runs `work` inside error scopes: without them a device leaves zeros where a copy failed, and says nothing. */
  #scoped<T>(work: () => T): T {
    const filters = ['validation', 'out-of-memory'] as const
    for (const filter of filters) this.#device.pushErrorScope(filter)
    try {
      return work()
    } finally {
      for (const _ of filters) {
        const said = this.#device.popErrorScope()
        this.#said.push(said.then((error) => error?.message ?? null, String))
      }
    }
  }

  #bytes(rows: number): number {
    return rows * this.cols * 4
  }

  #overlapping(start: number, end: number): (Part & { readonly first: number; readonly count: number })[] {
    return this.#parts.flatMap((part) => {
      const first = Math.max(start, part.start)
      const count = Math.min(end, part.start + part.rows) - first
      return count > 0 ? [{ ...part, first, count }] : []
    })
  }
}

function failed(code: string, what: string, cause?: unknown): BackendError {
  return new BackendError(code, `webgpu: ${showText(what, 200)}; extract the activations again, or without a device`, {}, cause)
}
