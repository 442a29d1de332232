import type { Backend, Binding, DeviceMatrix, HostMatrix, Kernel, Pass, Shape, Tolerance } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { BackendError } from '../core/errors.js'
import { GpuDevice } from './gpu-device.js'
import { said } from './said.js'
import { type GpuPlace, SpareGpu } from './spare-gpu.js'
import { OutOfMemory } from './upload-slots.js'
import { type BufferLedger, bufferUsage, type CountedBuffer, GpuMatrix } from './webgpu-buffers.js'
import { shaders } from './wgsl.gen.js'

const workgroupsPerDimension = 65535
const uniformAlignment = 256

/**
 * The error scopes around every piece of work, outermost first, each with the code of what it catches. That is also the order in which
 * they explain a failure: lack of memory leaves an invalid buffer, and using one is a validation error.
 */
const scopes = [
  ['out-of-memory', 'out-of-memory'],
  ['internal', 'internal-error'],
  ['validation', 'shader-error'],
] as const

const driverMend = 'pass --backend cpu, or update the driver'
/** What went wrong with the device, and how to mend it. */
const mends = {
  'device-lost': 'run it again, or pass --backend cpu',
  'out-of-memory': 'pass --backend cpu, or audit fewer rows',
  'internal-error': driverMend,
  'shader-error': driverMend,
  'run-failed': driverMend,
  'read-failed': driverMend,
  'wrong-results': driverMend,
} as const

interface Options {
  readonly signal?: AbortSignal | undefined
  readonly place?: GpuPlace | undefined
}

/**
 * Runs kernels as compute shaders on one WebGPU device. `run` submits and returns; validation errors, lack of memory and the loss of the
 * device are gathered and thrown, naming adapter and kernel, by the next `read`; so are wrong numbers, which a self-test of each kernel
 * looks for when it is first used.
 */
export class WebGpuBackend implements Backend {
  readonly name = 'webgpu'
  readonly copiesUploads = true
  readonly adapter: string
  readonly inSoftware: boolean
  readonly maxBindingBytes: number
  readonly #gpu: GpuDevice
  readonly #device: GPUDevice
  readonly #ledger: BufferLedger
  readonly #signal: AbortSignal | undefined
  readonly #place: GpuPlace | undefined
  readonly #checks = new Set<Promise<void>>()
  /** The kernel that was submitted last. */
  #last: string | null = null
  #failure: BackendError | null = null
  #disposed = false
  /** Whether the device went with it, and with that what was still under way. */
  #isOver = false

  /** On a device of its own until it is disposed; one with which all went well then waits in `place`, if there is one. */
  static on(device: GPUDevice, adapter: string, options: Options = {}): WebGpuBackend {
    return new WebGpuBackend(new GpuDevice(device, adapter), options)
  }

  constructor(gpu: GpuDevice, { signal, place }: Options) {
    const { device } = gpu
    this.#gpu = gpu
    this.#device = device
    this.adapter = gpu.adapter
    this.#signal = signal
    this.#place = place
    this.#ledger = gpu.buffers
    this.inSoftware = gpu.inSoftware
    this.maxBindingBytes = Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize)
    void device.lost.then(({ reason, message }) => {
      const after = this.#last ? ` after ${this.#last} was submitted` : ''
      if (!this.#disposed) this.#fail('device-lost', `the device was lost (${reason})${after}: ${said({ message })}`)
    })
  }

  get liveBytes(): number {
    return this.#ledger.liveBytes
  }

  upload(matrix: HostMatrix): DeviceMatrix {
    this.#check()
    if (matrix.data.length !== matrix.rows * matrix.cols)
      throw new RangeError(`upload: ${matrix.data.length} values for ${matrix.rows} × ${matrix.cols}`)
    this.#checkSize(matrix.data.byteLength, 'upload')
    return this.#scoped('upload', (made) => {
      const buffer = made(this.#ledger.storage(matrix))
      if (!this.#gpu.slots.write(buffer.buffer, matrix.data))
        this.#device.queue.writeBuffer(buffer.buffer, 0, matrix.data as Float32Array<ArrayBuffer>)
      return new GpuMatrix(matrix, buffer, { ledger: this.#ledger, madeBy: 'upload' })
    })
  }

  empty(shape: Shape): DeviceMatrix {
    this.#check()
    this.#checkSize(shape.rows * shape.cols * 4, 'a matrix')
    return this.#scoped(
      'making a matrix',
      (made) => new GpuMatrix(shape, made(this.#ledger.storage(shape)), { ledger: this.#ledger, madeBy: 'empty' }),
    )
  }

  run<P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P, into?: DeviceMatrix): DeviceMatrix {
    this.#check()
    const sources = inputs.map((input) => this.#own(input))
    if (!this.#gpu.tested.has(kernel)) this.#selfTest(kernel)
    return this.#dispatch(kernel, sources, params, into && this.#own(into))
  }

  /**
   * Holds the device against the kernel's twin on the kernel's own sample, once, when the kernel is first used: adapters and drivers that
   * compute wrong numbers exist. The next read waits for the outcome, so no result is believed before it.
   */
  #selfTest<P>(kernel: Kernel<P>): void {
    const { inputs, params } = kernel.sample()
    const matrices: GpuMatrix[] = []
    try {
      for (const input of inputs) matrices.push(this.upload(input) as GpuMatrix)
      const result = this.#dispatch(kernel, matrices, params)
      matrices.push(result)
      const expected = new Float32Array(result.rows * result.cols)
      for (const twin = kernel.cpu(inputs, params, expected); !twin.next().done; );
      const staged = this.#scoped(kernel.id, (made) => made(this.#ledger.stage(result.buffer, result.byteLength)))
      this.#await(
        this.#ledger.take(staged, result.byteLength, this.#signal, (bytes) => {
          const wrong = firstMismatch(new Float32Array(bytes), expected, kernel.tolerance)
          if (wrong) this.#fail('wrong-results', `${kernel.id} gives wrong numbers here (${wrong})`)
        }),
        { code: 'read-failed', what: `reading the self-test of ${kernel.id}` },
      )
      this.#gpu.tested.add(kernel)
    } finally {
      for (const matrix of matrices) matrix[dispose]()
    }
  }

  #dispatch<P>(kernel: Kernel<P>, sources: readonly GpuMatrix[], params: P, into?: GpuMatrix): GpuMatrix {
    if (shaders[kernel.shader ?? ''] === undefined) throw new RangeError(`${kernel.id} has no shader`)
    const plan = kernel.plan(sources, params)
    for (const shape of [plan.output, ...plan.scratch]) this.#checkSize(shape.rows * shape.cols * 4, kernel.id)
    return this.#scoped(kernel.id, (made) => {
      const output = into ? null : made(this.#ledger.storage(plan.output))
      const outputBuffer = (into ?? (output as CountedBuffer)).buffer
      const scratch = plan.scratch.map((shape) => made(this.#ledger.storage(shape)))
      const uniforms = made(this.#ledger.create(plan.passes.length * uniformAlignment, bufferUsage.uniform | bufferUsage.copyDestination))
      this.#device.queue.writeBuffer(uniforms.buffer, 0, uniformBlocks(plan.passes))
      const resolve = (binding: Binding) =>
        binding === 'output'
          ? outputBuffer
          : 'input' in binding
            ? (sources[binding.input] as GpuMatrix).buffer
            : (scratch[binding.scratch] as CountedBuffer).buffer
      const encoder = this.#device.createCommandEncoder({ label: kernel.id })
      // As new ones come.
      for (const made of [output, ...scratch]) if (made?.isUsed) encoder.clearBuffer(made.buffer)
      plan.passes.forEach((pass, index) => {
        if (pass.workgroups === 0) return
        const pipeline = this.#gpu.pipeline(kernel, pass.entryPoint)
        const entries: GPUBindGroupEntry[] = [
          { binding: 0, resource: { buffer: uniforms.buffer, offset: index * uniformAlignment, size: uniformAlignment } },
        ]
        pass.bindings.forEach((binding, at) => {
          if (binding) entries.push({ binding: at + 1, resource: { buffer: resolve(binding) } })
        })
        const compute = encoder.beginComputePass({ label: `${kernel.id}/${pass.entryPoint}` })
        compute.setPipeline(pipeline)
        compute.setBindGroup(0, this.#device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }))
        const columns = Math.min(pass.workgroups, workgroupsPerDimension)
        compute.dispatchWorkgroups(columns, Math.ceil(pass.workgroups / columns))
        compute.end()
      })
      this.#last = kernel.id
      this.#device.queue.submit([encoder.finish()])
      for (const buffer of [...scratch, uniforms]) buffer.release()
      return into ?? new GpuMatrix(plan.output, output as CountedBuffer, { ledger: this.#ledger, madeBy: kernel.id })
    })
  }

  async read(matrix: DeviceMatrix, into?: Float32Array): Promise<Float32Array> {
    this.#check()
    const source = this.#own(matrix)
    const what = `reading the ${matrix.rows} × ${matrix.cols} numbers of ${source.madeBy}`
    const staged = this.#scoped(what, (made) => made(this.#ledger.stage(source.buffer, source.byteLength)))
    try {
      const values = await this.#ledger.take(staged, source.byteLength, this.#signal, (bytes) => {
        const given = matrix.type === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes)
        if (!into) return given instanceof Float32Array ? given.slice() : Float32Array.from(given)
        into.set(given)
        return into.subarray(0, given.length)
      })
      await Promise.all(this.#checks)
      if (this.#failure) throw this.#failure
      return values
    } catch (error) {
      this.#signal?.throwIfAborted()
      await Promise.all(this.#checks) // They may know why the read failed; so may the loss of the device, which is told first.
      this.#check()
      this.#fail('read-failed', `${what} failed: ${said(error)}`, error)
      throw this.#failure
    }
  }

  [dispose](): void {
    if (this.#disposed) return
    this.#disposed = true
    const place = this.#place
    if (!place || this.#failure || this.#signal?.aborted || this.liveBytes > 0) {
      this.#isOver = true
      this.#gpu[dispose]()
      return
    }
    place.spare ??= new SpareGpu()
    place.spare.put(this.#gpu, this.#isSound())
  }

  /** Whether all that was done went well, when that is known. */
  async #isSound(): Promise<boolean> {
    await Promise.all(this.#checks)
    return this.#failure === null
  }

  /** Runs `work` inside error scopes; what they catch is thrown by the next read. Where `work` throws, the buffers that it `made` go. */
  #scoped<T>(what: string, work: (made: (buffer: CountedBuffer) => CountedBuffer) => T): T {
    const buffers: CountedBuffer[] = []
    for (const [filter] of scopes) this.#device.pushErrorScope(filter)
    try {
      return work((buffer) => {
        buffers.push(buffer)
        return buffer
      })
    } catch (error) {
      for (const buffer of buffers) buffer.destroy()
      this.#fail(error instanceof OutOfMemory ? 'out-of-memory' : 'run-failed', `${what}: ${said(error)}`, error)
      throw this.#failure
    } finally {
      const caught = Promise.all(scopes.map(() => this.#device.popErrorScope()).reverse())
      this.#await(
        caught.then((errors) => {
          errors.forEach((error, i) => {
            if (error) this.#fail((scopes[i] as (typeof scopes)[number])[1], `${what}: ${said(error)}`)
          })
        }),
        { code: 'internal-error', what: `asking for the errors of ${what}` },
      )
    }
  }

  /** Makes reads wait for `check`. Where it rejects, no result may be believed. */
  #await(check: Promise<void>, { code, what }: { code: keyof typeof mends; what: string }): void {
    const settled = check
      .catch((error: unknown) => {
        if (!this.#isOver && !this.#signal?.aborted) this.#fail(code, `${what} failed: ${said(error)}`, error)
      })
      .finally(() => this.#checks.delete(settled))
    this.#checks.add(settled)
  }

  #fail(code: keyof typeof mends, message: string, cause?: unknown): void {
    this.#failure ??= new BackendError(code, `webgpu (${this.adapter}): ${message}; ${mends[code]}`, { adapter: this.adapter }, cause)
  }

  #check(): void {
    this.#signal?.throwIfAborted()
    if (this.#disposed) throw new BackendError('disposed', 'webgpu: used after it was disposed; keep the context alive until the last read')
    if (this.#failure) throw this.#failure
  }

  #checkSize(byteLength: number, what: string): void {
    if (byteLength <= this.maxBindingBytes) return
    throw new BackendError(
      'too-large',
      `webgpu (${this.adapter}): ${what} needs a buffer of ${byteLength} bytes, the device binds at most ${this.maxBindingBytes}; pass --backend cpu, or audit fewer rows`,
      { byteLength, maxBindingBytes: this.maxBindingBytes },
    )
  }

  #own(matrix: DeviceMatrix): GpuMatrix {
    if (!(matrix instanceof GpuMatrix) || matrix.ledger !== this.#ledger)
      throw new BackendError('foreign-matrix', 'webgpu: a matrix of another backend was passed; read it there and upload it here')
    matrix.check()
    return matrix
  }
}

/** The first value beyond the tolerance, in words, or null where all are within it. */
function firstMismatch(actual: Float32Array, expected: Float32Array, { atol, rtol }: Tolerance): string | null {
  let scale = 0
  for (const value of expected) scale = Math.max(scale, Math.abs(value))
  const at = actual.findIndex(
    (value, i) => !(Math.abs(value - (expected[i] as number)) <= atol * scale + rtol * Math.abs(expected[i] as number)),
  )
  return at < 0 ? null : `value ${at} is ${actual[at]}, expected ${expected[at]}`
}

/** The uniform blocks of all passes, 256 bytes apart. */
function uniformBlocks(passes: readonly Pass[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array((passes.length * uniformAlignment) / 4)
  passes.forEach((pass, index) => {
    words.set(pass.uniforms, (index * uniformAlignment) / 4)
  })
  return words
}
