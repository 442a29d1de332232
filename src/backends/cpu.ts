import type { Backend, DeviceMatrix, ElementType, HostMatrix, Kernel, Shape } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { BackendError } from '../core/errors.js'
import { pause } from '../core/pause.js'

/** A kernel with what it is to run on. `stop` throws when the work is to end. */
export interface CpuRun<P> {
  readonly kernel: Kernel<P>
  readonly inputs: readonly HostMatrix[]
  readonly params: P
  readonly length: number
  /** Where the output goes, in place of an array of its own. */
  readonly into?: Float32Array | undefined
  readonly stop: () => void
  /** Other runs go on meanwhile. */
  readonly isBeside: boolean
}

/**
 * What the backends on the CPU have in common: matrices are arrays on the host, and work runs in the order it was enqueued. They differ
 * in how a kernel is computed and where arrays lie.
 */
export abstract class CpuBackend implements Backend {
  readonly name = 'cpu'
  abstract readonly adapter: string
  readonly maxBindingBytes = 2 ** 30
  readonly #signal: AbortSignal | undefined
  #liveBytes = 0
  #disposed = false
  #queue: Promise<unknown> = Promise.resolve()

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  /** Computes the kernel's output, `[length]`. */
  protected abstract compute<P>(run: CpuRun<P>): Promise<Float32Array>

  /** An array that holds anything. */
  protected allocate(length: number): Float32Array {
    return new Float32Array(length)
  }

  /** The matrix as `compute` wants it. */
  protected held(matrix: HostMatrix): HostMatrix {
    return matrix
  }

  /** Told of arrays that `allocate`, `compute` or `held` made and nobody uses any more. */
  protected recycle(_data: HostMatrix['data']): void {}

  get liveBytes(): number {
    return this.#liveBytes
  }

  upload(matrix: HostMatrix): DeviceMatrix {
    this.#check()
    if (matrix.data.length !== matrix.rows * matrix.cols)
      throw new RangeError(`upload: ${matrix.data.length} values for ${matrix.rows} × ${matrix.cols}`)
    const held = this.held(matrix)
    return this.#matrix(matrix, Promise.resolve(held), held !== matrix)
  }

  empty(shape: Shape): DeviceMatrix {
    this.#check()
    return this.#matrix(shape, Promise.resolve({ ...shape, data: this.allocate(shape.rows * shape.cols) }), true)
  }

  written(shape: Shape, write: (data: Float32Array) => void | Promise<void>): DeviceMatrix {
    this.#check()
    const data = this.allocate(shape.rows * shape.cols)
    const writing = async () => {
      await write(data)
      return { ...shape, data }
    }
    return this.#matrix(shape, writing(), true)
  }

  run<P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P, into?: DeviceMatrix): DeviceMatrix {
    this.#check()
    const target = into && this.#own(into)
    const before = target?.content
    const { output, compute } = this.#planned(kernel, inputs, params)
    const work = this.#queue.then(async () => compute((await before)?.data as Float32Array | undefined))
    this.#queue = work.then(
      () => undefined,
      () => undefined,
    )
    if (!target) return this.#matrix(output, work, true)
    target.replace(work)
    return target
  }

  /** Enqueues nothing: begins when its inputs are there. */
  protected beside<P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P): DeviceMatrix {
    this.#check()
    const { output, compute } = this.#planned(kernel, inputs, params, true)
    const work = compute()
    for (const input of inputs) this.#own(input).reads.push(work)
    return this.#matrix(output, work, true)
  }

  #planned<P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P, isBeside = false) {
    const sources = inputs.map((input) => this.#own(input))
    const contents = sources.map((source) => source.content)
    const { output } = kernel.plan(sources, params)
    const length = output.rows * output.cols
    const stop = () => this.#stopIfAsked()
    const compute = async (into?: Float32Array) => {
      const matrices = await Promise.all(contents)
      const data = await this.compute({ kernel, inputs: matrices, params, length, into, stop, isBeside })
      stop()
      return { ...output, data }
    }
    return { output, compute }
  }

  async read(matrix: DeviceMatrix, into?: Float32Array): Promise<Float32Array> {
    this.#check()
    const own = this.#own(matrix)
    const copied = own.content.then(({ data }) => copy(data, into))
    own.reads.push(copied)
    return await copied
  }

  [dispose](): void {
    this.#disposed = true
  }

  #stopIfAsked(): void {
    this.#signal?.throwIfAborted()
    this.#check()
  }

  #check(): void {
    if (this.#disposed) throw new BackendError('disposed', 'cpu: used after it was disposed; keep the context alive until the last read')
  }

  #matrix(shape: { rows: number; cols: number; type: ElementType }, content: Promise<HostMatrix>, isOurs: boolean): CpuMatrix {
    content.catch(() => undefined) // A failure shows where the matrix is read, not as an unhandled rejection.
    const matrix = new CpuMatrix(shape, content, () => {
      this.#liveBytes -= matrix.byteLength
      // Runs that were enqueued before come first. One that is broken off may leave threads at its arrays: they are not used again.
      if (isOurs)
        Promise.all([content, this.#queue, ...matrix.reads]).then(
          ([{ data }]) => this.recycle(data),
          () => undefined,
        )
    })
    this.#liveBytes += matrix.byteLength
    return matrix
  }

  #own(matrix: DeviceMatrix): CpuMatrix {
    if (!(matrix instanceof CpuMatrix))
      throw new BackendError('foreign-matrix', 'cpu: a matrix of another backend was passed; read it there and upload it here')
    return matrix
  }
}

function copy(data: HostMatrix['data'], into: Float32Array | undefined): Float32Array {
  if (!into) return data instanceof Float32Array ? data.slice() : Float32Array.from(data)
  into.set(data)
  return into.subarray(0, data.length)
}

/** Computes a kernel by its twin, wherever it yields the event loop gets a turn and an abort is seen. */
export async function computeByTwin<P>(
  { kernel, inputs, params, length, into, stop }: CpuRun<P>,
  output: Float32Array = into ?? new Float32Array(length),
): Promise<Float32Array> {
  const twin = kernel.cpu(inputs, params, output)
  while (!twin.next().done) {
    await pause()
    stop()
  }
  return output
}

class CpuMatrix implements DeviceMatrix {
  readonly rows: number
  readonly cols: number
  readonly type: ElementType
  readonly byteLength: number
  /** Copies for the host that are under way, or done. */
  readonly reads: Promise<unknown>[] = []
  #content: Promise<HostMatrix> | null
  #release: (() => void) | null

  constructor(shape: { rows: number; cols: number; type: ElementType }, content: Promise<HostMatrix>, release: () => void) {
    this.rows = shape.rows
    this.cols = shape.cols
    this.type = shape.type
    this.byteLength = shape.rows * shape.cols * 4
    this.#content = content
    this.#release = release
  }

  get content(): Promise<HostMatrix> {
    if (!this.#content) throw new BackendError('disposed', `cpu: a ${this.rows} × ${this.cols} matrix was used after it was disposed`)
    return this.#content
  }

  /** What is read from now on is what `content` gives: the same array, when it has been written to. */
  replace(content: Promise<HostMatrix>): void {
    content.catch(() => undefined)
    this.#content = content
  }

  /** Lets go of the values, so that a handle that is still held somewhere does not keep their memory. */
  [dispose](): void {
    this.#content = null
    this.#release?.()
    this.#release = null
  }
}
