import { dispose } from '../core/dispose.js'
import type { GpuDevice } from './gpu-device.js'

/** Milliseconds that a device waits for the next audit before it is let go, with all of its memory. */
const keptMs = 10_000

/** Where a device waits between audits, once there has been one. */
export interface GpuPlace {
  spare?: SpareGpu
}

/**
 * The device of the audit that ended last, for the next one: to open one, compile for it and hold it against the twins takes longer than many an audit. It does not
 * keep the process alive.
 */
export class SpareGpu {
  #kept: { readonly gpu: GpuDevice; readonly isSound: Promise<boolean>; readonly timer: unknown } | null = null

  /** Keeps `gpu`, which nobody uses any more, if all that was under way on it turns out well. */
  put(gpu: GpuDevice, isSound: Promise<boolean>): void {
    this.clear()
    const timer: unknown = setTimeout(() => this.clear(), keptMs)
    if (typeof timer === 'object') (timer as { unref?(): void } | null)?.unref?.()
    this.#kept = { gpu, isSound, timer }
  }

  /** The device that is kept, or null: a software adapter's only where one will do. */
  async take({ software }: { readonly software: boolean }): Promise<GpuDevice | null> {
    const kept = this.#kept
    if (!kept || (kept.gpu.inSoftware && !software)) return null
    this.#kept = null
    clearTimeout(kept.timer as number)
    if ((await kept.isSound) && !kept.gpu.isGone) return kept.gpu
    kept.gpu[dispose]()
    return null
  }

  /** Lets go of it. */
  clear(): void {
    clearTimeout(this.#kept?.timer as number | undefined)
    this.#kept?.gpu[dispose]()
    this.#kept = null
  }
}
