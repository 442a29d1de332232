import type { Backend, DeviceMatrix, ElementType, HostMatrix, Kernel } from '../core/backend.js'
import { dispose } from '../core/dispose.js'
import { BackendError } from '../core/errors.js'
import { pause } from '../core/pause.js'

/**
 * Runs each kernel's twin: plain TypeScript with float64 sums, on the thread that calls it. The oracle that the other backends are held
 * against, and the last resort where neither a GPU nor WebAssembly is to be had. Work runs in the order it was enqueued; wherever a twin
 * yields, the event loop gets a turn and an abort is seen.
 */
export class ReferenceBackend implements Backend {
  readonly name = 'cpu'
  readonly adapter = 'plain TypeScript, float64 sums'
  readonly maxBindingBytes = 2 ** 30
  readonly #signal: AbortSignal | undefined
  #liveBytes = 0
  #disposed = false
  #queue: Promise<unknown> = Promise.resolve()

  constructor(signal?: AbortSignal) {
    this.#signal = signal
  }

  get liveBytes(): number {
    return this.#liveBytes
  }

  upload(matrix: HostMatrix): DeviceMatrix {
    this.#check()
    if (matrix.data.length !== matrix.rows * matrix.cols)
      throw new RangeError(`upload: ${matrix.data.length} values for ${matrix.rows} × ${matrix.cols}`)
    return this.#matrix(matrix, Promise.resolve(matrix))
  }

  run<P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P): DeviceMatrix {
    this.#check()
    const sources = inputs.map((input) => this.#own(input))
    const contents = sources.map((source) => source.content)
    const { output } = kernel.plan(sources, params)
    const work = this.#queue.then(async () => {
      const matrices = await Promise.all(contents)
      const data = new Float32Array(output.rows * output.cols)
      const twin = kernel.cpu(matrices, params, data)
      while (!twin.next().done) {
        await pause()
        this.#stopIfAsked()
      }
      this.#stopIfAsked()
      return { ...output, data }
    })
    this.#queue = work.then(
      () => undefined,
      () => undefined,
    )
    return this.#matrix(output, work)
  }

  async read(matrix: DeviceMatrix): Promise<Float32Array> {
    this.#check()
    const { data } = await this.#own(matrix).content
    return data instanceof Float32Array ? data.slice() : Float32Array.from(data)
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

  #matrix(shape: { rows: number; cols: number; type: ElementType }, content: Promise<HostMatrix>): CpuMatrix {
    content.catch(() => undefined) // A failure shows where the matrix is read, not as an unhandled rejection.
    const matrix = new CpuMatrix(shape, content, () => {
      this.#liveBytes -= matrix.byteLength
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

class CpuMatrix implements DeviceMatrix {
  readonly rows: number
  readonly cols: number
  readonly type: ElementType
  readonly byteLength: number
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

  /** Lets go of the values, so that a handle that is still held somewhere does not keep their memory. */
  [dispose](): void {
    this.#content = null
    this.#release?.()
    this.#release = null
  }
}
