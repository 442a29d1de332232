import type { Lane } from './lane.js'
import type { Rng } from './rng.js'

/** Elements of a device matrix. Kernels write float32; uint32 is for tables that the host uploads. */
export type ElementType = 'f32' | 'u32'

export interface Shape {
  readonly rows: number
  readonly cols: number
  readonly type: ElementType
}

/** A row-major matrix in host memory, as backends take and give it. */
export interface HostMatrix extends Shape {
  readonly data: Float32Array | Uint32Array
}

/**
 * A row-major matrix that lives on a backend. Whoever got it from `upload` or `run` disposes it; using it afterwards throws
 * `BackendError` `disposed`.
 */
export interface DeviceMatrix extends Shape, Disposable {
  readonly byteLength: number
}

/** |a − b| ≤ atol·scale + rtol·|b|, `scale` being the largest |b| of the output. */
export interface Tolerance {
  readonly atol: number
  readonly rtol: number
}

/** What a pass binds: the i-th input, the i-th scratch buffer, or the output. */
export type Binding = { readonly input: number } | { readonly scratch: number } | 'output'

/** One dispatch of a compute shader. Binding 0 of group 0 is the uniform block; `bindings[i]` is bound as i + 1; `null` leaves a gap. */
export interface Pass {
  readonly entryPoint: string
  readonly bindings: readonly (Binding | null)[]
  /** The uniform block: uint32 words, in the order of the shader's struct. */
  readonly uniforms: readonly number[]
  /** Workgroups in all; the backend folds them into two dimensions: `id = wg.x + wg.y · num_workgroups.x`. */
  readonly workgroups: number
}

/** What a kernel needs for given inputs: its output, scratch space, and the passes in order. */
export interface Plan {
  readonly output: Shape
  readonly scratch: readonly Shape[]
  readonly passes: readonly Pass[]
}

/**
 * A computation that every backend can run. It carries all that a backend has to know, so that a new kernel edits no backend.
 * `cpu` is the twin in plain TypeScript with float64 accumulation: the oracle. It is a generator that yields now and then, where the
 * backend may let other work in or stop.
 */
export interface Kernel<P> {
  readonly id: string
  /** The name of its shader: a file of shaders/, without the ending. One that has none is for backends that compute on the CPU. */
  readonly shader?: string
  /** How far a device may be from the twin, justified beside each kernel. */
  readonly tolerance: Tolerance
  plan(inputs: readonly Shape[], params: P): Plan
  cpu(inputs: readonly HostMatrix[], params: P, output: Float32Array): Generator<void, void, void>
  /** The name of its WebAssembly form, where it has one. */
  readonly wasm?: string
  /** A small input on which a device is held against the twin before its first result is believed. */
  sample(): { readonly inputs: readonly HostMatrix[]; readonly params: P }
}

/** Runs kernels; knows buffers and dispatch, and no kernel by name. */
export interface Backend extends Disposable {
  /** `cpu` or `webgpu`. */
  readonly name: 'cpu' | 'webgpu'
  /** The adapter or the CPU path, for people. */
  readonly adapter: string
  /** Whether kernels that have a WebAssembly form run in it. */
  readonly runsForms?: boolean
  /** Threads that share the work, where there are several. */
  readonly threads?: number
  /** Whether the adapter is software, so that the CPU does its work and no time is saved by leaving work to it. */
  readonly inSoftware?: boolean
  /** The largest matrix that can be uploaded or bound, in bytes. */
  readonly maxBindingBytes: number
  /** Bytes held by matrices that have not been disposed, and by work in flight. */
  readonly liveBytes: number
  /** Whether `upload` copies at once; else what was uploaded has to stay as it is until the work on it was waited for. */
  readonly copiesUploads?: boolean
  /** Told of matrices that will be `written` soon, and how many values they have: threads may start, and find memory for them. */
  prepare?(lengths: readonly number[]): void
  upload(matrix: HostMatrix): DeviceMatrix
  /** A matrix that `run` is to write to; what it holds until then is left open. Throws `RangeError` where the host has no memory for it. */
  empty(shape: Shape): DeviceMatrix
  /**
   * A matrix whose values `write` puts down where they lie, every one of them; what runs on it waits until that has been done, and fails where it has. For
   * backends on the CPU. Throws as `empty`.
   */
  written?(shape: Shape, write: (data: Float32Array) => void | Promise<void>): DeviceMatrix
  /**
   * Enqueues the kernel and returns its output at once; failures show at `read`. With `into`, a matrix of the output's shape, the kernel
   * writes there, and what it does not write stays.
   */
  run<P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P, into?: DeviceMatrix): DeviceMatrix
  /**
   * The same on a thread of its own, while what is enqueued later goes on: for what cannot be shared out. Nothing may be written to the inputs until the output was
   * read. There where several threads share the work.
   */
  runBeside?<P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P): DeviceMatrix
  /** Waits for the work that `matrix` depends on and copies it to the host: `into` the first values of that, where it is given, else into an array of its own. */
  read(matrix: DeviceMatrix, into?: Float32Array): Promise<Float32Array>
}

/** Progress of long work: `done` of `total` (arbitrary units), never going back. */
export interface Progress {
  readonly stage: string
  readonly done: number
  readonly total: number
}

/** Which backend was taken, and why. */
export interface BackendChoice {
  readonly name: 'cpu' | 'webgpu'
  readonly adapter: string
  readonly reason: string
}

/** What a detector works with besides the data: where to compute, the seed's stream, abort and progress. */
export interface Context extends Disposable {
  readonly backend: Backend
  readonly choice: BackendChoice
  readonly seed: number
  readonly rng: Rng
  readonly signal: AbortSignal | undefined
  /** Bytes that the activations of a set may take; larger sets are read again at every pass. */
  readonly memory: number
  /** Threads for work on the host: at least one. */
  lanes(): Promise<readonly Lane[]>
  /** Share of the current detector's work that is done, 0 … 1. */
  progress(share: number): void
}
