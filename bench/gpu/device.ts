import { shaders } from '../../src/backends/wgsl.gen.js'
import type { HostMatrix, Kernel, Pass } from '../../src/core/backend.js'

// GPUBufferUsage and GPUMapMode are no globals in Node.
const usage = { mapRead: 0x1, copySource: 0x4, copyDestination: 0x8, uniform: 0x40, storage: 0x80, queryResolve: 0x200 } as const
const workgroupsPerDimension = 65535

/** Four independent chains of fused multiply-adds: 256 threads × 4,096 × 16 of them a workgroup. */
const multiplyAdds = `
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var a = vec4f(f32(id.x)) * 1e-9;
  var b = a + 0.1;
  var c = a + 0.2;
  var d = a + 0.3;
  for (var i = 0u; i < 4096u; i++) {
    a = fma(a, vec4f(0.999), vec4f(1e-3));
    b = fma(b, vec4f(0.999), vec4f(1e-3));
    c = fma(c, vec4f(0.999), vec4f(1e-3));
    d = fma(d, vec4f(0.999), vec4f(1e-3));
  }
  let sum = a + b + c + d;
  out[id.x & 1023u] = sum.x + sum.y + sum.z + sum.w;
}`
const operationsPerGroup = 256 * 4096 * 16 * 2

/** Copies 16 KiB a workgroup, four vec4 a thread under way at a time. */
const copy = `
@group(0) @binding(0) var<storage, read> given: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4f>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let at = (group.x + group.y * grid.x) * 1024u + local.x;
  let v0 = given[at];
  let v1 = given[at + 256u];
  let v2 = given[at + 512u];
  let v3 = given[at + 768u];
  copied[at] = v0;
  copied[at + 256u] = v1;
  copied[at + 512u] = v2;
  copied[at + 768u] = v3;
}`

/** What the device can do at most: bytes a second that a plain copy moves (read and written counted), and float32 operations a second. */
export interface Ceilings {
  readonly bytesPerSecond: number
  readonly operationsPerSecond: number
}

/**
 * A device of its own that times dispatches by timestamp queries, or throws where it has none. A GPU at rest lowers its clock, so every
 * measurement follows some milliseconds of arithmetic.
 */
export async function openTimedGpu({ software }: { software: boolean }) {
  const dawn = await import('webgpu')
  const gpu = dawn.create(['disable-dawn-features=timestamp_quantization'])
  ;(globalThis as Record<string, unknown>)['assay bench gpu'] = gpu // It has to outlive its devices.
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter?.features.has('timestamp-query')) throw new Error('there is no adapter with timestamp queries')
  const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits
  const device = await adapter.requestDevice({
    requiredFeatures: ['timestamp-query'],
    requiredLimits: { maxStorageBufferBindingSize, maxBufferSize },
  })
  let failure: string | null = null
  device.addEventListener('uncapturederror', ({ error }) => {
    failure ??= error.message
  })
  const queries = device.createQuerySet({ type: 'timestamp', count: 2 })
  const resolved = device.createBuffer({ size: 16, usage: usage.queryResolve | usage.copySource })
  const pipelines = new Map<string, GPUComputePipeline>()
  const pipeline = (code: string, entryPoint: string) => {
    const key = `${entryPoint} ${code}`
    const made =
      pipelines.get(key) ??
      device.createComputePipeline({ layout: 'auto', compute: { module: device.createShaderModule({ code }), entryPoint } })
    pipelines.set(key, made)
    return made
  }
  const storage = (byteLength: number) =>
    device.createBuffer({ size: Math.max(16, byteLength), usage: usage.storage | usage.copySource | usage.copyDestination })
  const read = async (buffer: GPUBuffer, byteLength: number) => {
    const staging = device.createBuffer({ size: byteLength, usage: usage.mapRead | usage.copyDestination })
    const encoder = device.createCommandEncoder()
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, byteLength)
    device.queue.submit([encoder.finish()])
    await staging.mapAsync(1)
    const bytes = staging.getMappedRange().slice(0)
    staging.destroy()
    if (failure) throw new Error(failure)
    return bytes
  }
  const spinning = pipeline(multiplyAdds, 'main')
  const spinOut = storage(4096)
  const spinGroups = software ? 1 : 8192
  const spinBindings = device.createBindGroup({
    layout: spinning.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer: spinOut } }],
  })

  /** Milliseconds of one dispatch: the least of three rounds of some milliseconds each. */
  async function time(code: string, entryPoint: string, entries: GPUBindGroupEntry[], workgroups: number): Promise<number> {
    const made = pipeline(code, entryPoint)
    const group = device.createBindGroup({ layout: made.getBindGroupLayout(0), entries })
    const columns = Math.min(workgroups, workgroupsPerDimension)
    const round = async (repeats: number) => {
      const encoder = device.createCommandEncoder()
      const warmUp = encoder.beginComputePass()
      warmUp.setPipeline(spinning)
      warmUp.setBindGroup(0, spinBindings)
      for (let i = 0; i < (software ? 1 : 4); i++) warmUp.dispatchWorkgroups(spinGroups)
      warmUp.end()
      const pass = encoder.beginComputePass({
        timestampWrites: { querySet: queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
      })
      pass.setPipeline(made)
      pass.setBindGroup(0, group)
      for (let i = 0; i < repeats; i++) pass.dispatchWorkgroups(columns, Math.ceil(workgroups / columns))
      pass.end()
      encoder.resolveQuerySet(queries, 0, 2, resolved, 0)
      device.queue.submit([encoder.finish()])
      const [began, ended] = new BigUint64Array(await read(resolved, 16)) as unknown as [bigint, bigint]
      return Number(ended - began) / 1e6 / repeats
    }
    const first = await round(1)
    const repeats = Math.min(50, Math.max(1, Math.ceil(5 / first)))
    return Math.min(await round(repeats), await round(repeats), await round(repeats))
  }

  return {
    info: adapter.info,
    limits: adapter.limits,
    features: [...adapter.features],
    storage,
    write: (buffer: GPUBuffer, at: number, data: Float32Array | Uint32Array) =>
      device.queue.writeBuffer(buffer, at, data as Float32Array<ArrayBuffer>),
    time,

    async ceilings(): Promise<Ceilings> {
      const byteLength = software ? 2 ** 22 : 2 ** 30
      const [from, to] = [storage(byteLength), storage(byteLength)]
      const entries = [from, to].map((buffer, binding) => ({ binding, resource: { buffer } }))
      const copyMs = await time(copy, 'main', entries, byteLength / 2 ** 14)
      const fmaMs = await time(multiplyAdds, 'main', [{ binding: 0, resource: { buffer: spinOut } }], spinGroups)
      from.destroy()
      to.destroy()
      return {
        bytesPerSecond: (2 * byteLength) / (copyMs / 1000),
        operationsPerSecond: (spinGroups * operationsPerGroup) / (fmaMs / 1000),
      }
    },

    /** Milliseconds of each pass of a kernel, inputs being on the device as `buffers`. */
    async timePasses<P>(kernel: Kernel<P>, inputs: readonly HostMatrix[], params: P, buffers: readonly GPUBuffer[]): Promise<PassTime[]> {
      const { output, scratch, passes } = kernel.plan(inputs, params)
      const made = [output, ...scratch].map(({ rows, cols }) => storage(rows * cols * 4))
      const bufferOf = (binding: NonNullable<Pass['bindings'][number]>) =>
        (binding === 'output' ? made[0] : 'input' in binding ? buffers[binding.input] : made[1 + binding.scratch]) as GPUBuffer
      const times: PassTime[] = []
      for (const { entryPoint, bindings, uniforms, workgroups } of passes) {
        const block = device.createBuffer({ size: 256, usage: usage.uniform | usage.copyDestination })
        device.queue.writeBuffer(block, 0, Uint32Array.from(uniforms))
        const entries: GPUBindGroupEntry[] = [{ binding: 0, resource: { buffer: block } }]
        bindings.forEach((binding, at) => {
          if (binding) entries.push({ binding: at + 1, resource: { buffer: bufferOf(binding) } })
        })
        times.push({ entryPoint, ms: await time(shaders[kernel.shader as string] as string, entryPoint, entries, workgroups) })
        block.destroy()
      }
      for (const buffer of made) buffer.destroy()
      return times
    },

    async close(): Promise<void> {
      device.destroy()
      await device.lost
    },
  }
}

export type TimedGpu = Awaited<ReturnType<typeof openTimedGpu>>

export interface PassTime {
  readonly entryPoint: string
  readonly ms: number
}
