import { bufferUsage, mapMode, mapped } from './webgpu-buffers.js'

/** Smaller uploads go through the queue's own memory, larger ones than a slot too. */
const leastBytes = 2 ** 20
const slotBytes = 2 ** 24
const mostSlots = 3

/** There is no memory for a buffer that is mapped when it is made. (Where others find none, an error scope says so.) */
export class OutOfMemory extends Error {}

/**
 * Memory that host and device both see, through which large uploads go. `writeBuffer` finds new memory for each, which takes several times as long as the copy;
 * these are mapped again when the device has copied what was in them.
 */
export class UploadSlots {
  readonly #device: GPUDevice
  /** Mapped, with nothing under way. */
  readonly #free: GPUBuffer[] = []
  readonly #all = new Set<GPUBuffer>()

  constructor(device: GPUDevice) {
    this.#device = device
  }

  /** Enqueues the copy of `data` to the start of `target`, where it may go this way; says whether it did. Throws `OutOfMemory` where there is none for a slot. */
  write(target: GPUBuffer, data: Float32Array | Uint32Array): boolean {
    const { byteLength } = data
    if (byteLength < leastBytes || byteLength > slotBytes) return false
    const slot = this.#free.pop() ?? this.#make()
    if (!slot) return false
    const to = slot.getMappedRange(0, byteLength)
    new Uint32Array(to).set(new Uint32Array(data.buffer, data.byteOffset, data.length))
    slot.unmap()
    const encoder = this.#device.createCommandEncoder()
    encoder.copyBufferToBuffer(slot, 0, target, 0, byteLength)
    this.#device.queue.submit([encoder.finish()])
    mapped(this.#device, slot, mapMode.write).then(
      () => this.#free.push(slot),
      () => this.#end(slot), // with the device, which says why itself
    )
    return true
  }

  clear(): void {
    for (const slot of this.#all) slot.destroy()
    this.#all.clear()
    this.#free.length = 0
  }

  #make(): GPUBuffer | null {
    if (this.#all.size === mostSlots) return null
    try {
      const usage = bufferUsage.mapWrite | bufferUsage.copySource
      const slot = this.#device.createBuffer({ size: slotBytes, usage, mappedAtCreation: true })
      this.#all.add(slot)
      return slot
    } catch (cause) {
      if ((cause as Error).name !== 'RangeError') throw cause
      throw new OutOfMemory(`no memory for a buffer of ${slotBytes} bytes: ${(cause as Error).message}`, { cause })
    }
  }

  #end(slot: GPUBuffer): void {
    this.#all.delete(slot)
    slot.destroy()
  }
}
