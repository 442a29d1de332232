import { openNodeGpu } from '../../src/backends/node-webgpu.js'
import { summarise, timed } from '../repeats.js'

const repeats = 7

/** Bytes per second that a plain copy moves, read and written counted: the roof for a kernel that computes next to nothing. */
export async function cpuCopyBandwidth(): Promise<number> {
  const values = 2 ** 25
  const from = new Float32Array(values).fill(1)
  const to = new Float32Array(values)
  const times: number[] = []
  for (let i = 0; i <= repeats; i++) {
    const ms = await timed(() => to.set(from))
    if (i > 0) times.push(ms)
  }
  return (2 * 4 * values) / (summarise(times).min / 1000)
}

/** The same on the GPU, buffer to buffer. Software adapters get a smaller buffer. */
export async function gpuCopyBandwidth({ software }: { software: boolean }): Promise<number> {
  const byteLength = software ? 2 ** 25 : 2 ** 27
  const copiesPerSubmit = software ? 1 : 16
  const access = await openNodeGpu()
  if (!access.gpu) throw new Error(access.reason)
  const adapter = await access.gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw new Error('WebGPU finds no adapter on this machine')
  const device = await adapter.requestDevice()
  const [copySource, copyDestination] = [0x4, 0x8] // GPUBufferUsage is no global in Node
  const from = device.createBuffer({ size: byteLength, usage: copySource | copyDestination })
  const to = device.createBuffer({ size: byteLength, usage: copyDestination })
  device.queue.writeBuffer(from, 0, new Float32Array(byteLength / 4).fill(1))
  const times: number[] = []
  for (let i = 0; i <= repeats; i++) {
    const ms = await timed(async () => {
      const encoder = device.createCommandEncoder()
      for (let copy = 0; copy < copiesPerSubmit; copy++) encoder.copyBufferToBuffer(from, 0, to, 0, byteLength)
      device.queue.submit([encoder.finish()])
      await device.queue.onSubmittedWorkDone()
    })
    if (i > 0) times.push(ms)
  }
  device.destroy()
  await device.lost
  return (2 * byteLength * copiesPerSubmit) / (summarise(times).min / 1000)
}
