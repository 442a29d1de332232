import type { HostMatrix } from '../../src/core/backend.js'
import { kernelCases, type Size } from '../kernels/cases.js'
import { printTable, short } from '../repeats.js'
import type { Ceilings, TimedGpu } from './device.js'

/** Operations that the algorithm needs for each byte of X that it has to read, for the kernels that are limited by what they read or compute. */
const readsTwice = new Set(['gram-apply'])

export interface KernelTime {
  readonly kernel: string
  readonly size: string
  readonly ms: number
  readonly passes: Readonly<Record<string, number>>
  readonly gigabytesPerSecond: number
  readonly teraflops: number
  /** Of the bytes that a copy moves, of the float32 peak, and of the lesser of both bounds for this kernel. */
  readonly share: { readonly copy: number; readonly peak: number; readonly limit: number }
}

/** Times every kernel on random rows of one size, on the device alone: no upload, no read-back. */
export async function timeKernels(gpu: TimedGpu, size: Size, ceilings: Ceilings): Promise<KernelTime[]> {
  // The rows are one block of random numbers over and over: making a gigabyte of them on the host would take longer than all else.
  const rowsInBlock = Math.min(size.classes * size.rowsPerClass, Math.max(1, Math.floor(2 ** 22 / size.cols)))
  const name = `${(size.classes * size.rowsPerClass).toLocaleString('en-US')} × ${size.cols} in ${size.classes} classes`
  const found: KernelTime[] = []
  const repeated = new Map<HostMatrix, GPUBuffer>()
  const bufferOf = (matrix: HostMatrix) => {
    const known = repeated.get(matrix)
    if (known) return known
    const buffer = gpu.storage(matrix.rows * matrix.cols * 4)
    const wanted = matrix.rows * matrix.cols
    for (let at = 0; at < wanted; at += matrix.data.length) {
      gpu.write(buffer, at * 4, matrix.data.subarray(0, Math.min(matrix.data.length, wanted - at)))
    }
    repeated.set(matrix, buffer)
    return buffer
  }
  for (const { kernel, inputs, params, operations } of kernelCases(size, rowsInBlock)) {
    const times = await gpu.timePasses(kernel, inputs, params, inputs.map(bufferOf))
    const ms = times.reduce((sum, pass) => sum + pass.ms, 0)
    const { output } = kernel.plan(inputs, params)
    const byteLength = [...inputs, output].reduce((sum, { rows, cols }) => sum + rows * cols * 4, 0) * (readsTwice.has(kernel.id) ? 2 : 1)
    const bound = Math.max(byteLength / ceilings.bytesPerSecond, operations / ceilings.operationsPerSecond)
    found.push({
      kernel: kernel.id,
      size: name,
      ms,
      passes: Object.fromEntries(times.map((pass) => [pass.entryPoint, pass.ms])),
      gigabytesPerSecond: byteLength / ms / 1e6,
      teraflops: operations / ms / 1e9,
      share: {
        copy: byteLength / (ms / 1000) / ceilings.bytesPerSecond,
        peak: operations / (ms / 1000) / ceilings.operationsPerSecond,
        limit: bound / (ms / 1000),
      },
    })
  }
  for (const buffer of repeated.values()) buffer.destroy()
  return found
}

export function printKernelTimes(times: readonly KernelTime[]): void {
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`
  const rows = times.map(({ kernel, ms, passes, gigabytesPerSecond, teraflops, share }) => [
    ...[kernel, short(ms), short(gigabytesPerSecond), percent(share.copy), teraflops.toFixed(2), percent(share.peak), percent(share.limit)],
    Object.values(passes).map(short).join(' + '),
  ])
  console.log(`\n${times[0]?.size}`)
  printTable([['kernel', 'ms', 'GB/s', 'of a copy', 'TFLOP/s', 'of f32', 'of its limit', 'passes, ms'], ...rows])
}
