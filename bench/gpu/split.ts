import { WebGpuBackend } from '../../src/backends/webgpu.js'
import type { DeviceMatrix } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'

/** Where the time of a run on the GPU goes, in milliseconds, as the host sees it. */
export interface Split {
  /** Handing matrices to the device. */
  uploadMs: number
  uploadedBytes: number
  /** Building and submitting work. */
  submitMs: number
  /** Waiting for the device to finish what was submitted. */
  computeMs: number
  /** Copying results to the host once they are there. */
  readBackMs: number
  readBytes: number
}

/** Runs `work` and splits its time, by going between callers and `WebGpuBackend`; each read waits for the device first, by an empty one. */
export async function splitTime<T>(work: () => Promise<T>): Promise<{ result: T; split: Split }> {
  const split: Split = { uploadMs: 0, uploadedBytes: 0, submitMs: 0, computeMs: 0, readBackMs: 0, readBytes: 0 }
  const backend = WebGpuBackend.prototype
  const { upload, run, read } = backend
  const fences = new WeakMap<WebGpuBackend, DeviceMatrix>()
  const timed = <A>(key: 'uploadMs' | 'submitMs', call: () => A): A => {
    const began = performance.now()
    const result = call()
    split[key] += performance.now() - began
    return result
  }
  backend.upload = function (matrix) {
    split.uploadedBytes += matrix.data.byteLength
    return timed('uploadMs', () => upload.call(this, matrix))
  }
  backend.run = function (kernel, inputs, params, into) {
    return timed('submitMs', () => run.call(this, kernel as never, inputs, params, into)) as DeviceMatrix
  }
  backend.read = async function (matrix) {
    const fence = fences.get(this) ?? upload.call(this, { data: new Float32Array(1), rows: 1, cols: 1, type: 'f32' })
    fences.set(this, fence)
    const began = performance.now()
    await read.call(this, fence)
    const ready = performance.now()
    const result = await read.call(this, matrix)
    split.computeMs += ready - began
    split.readBackMs += performance.now() - ready
    split.readBytes += matrix.byteLength
    return result
  }
  const disposed = backend[dispose]
  backend[dispose] = function () {
    fences.get(this)?.[dispose]()
    disposed.call(this)
  }
  try {
    return { result: await work(), split }
  } finally {
    Object.assign(backend, { upload, run, read, [dispose]: disposed })
  }
}
