import type { DeviceMatrix, HostMatrix, Kernel } from '../core/backend.js'
import { fromBase64 } from '../core/bytes-as-text.js'
import { DoubleEngine, useDoubleEngine } from '../core/double-engine.js'
import type { Lane } from '../core/lane.js'
import { pause } from '../core/pause.js'
import { Engine } from '../forms/engine.js'
import { formOf } from '../forms/registry.js'
import { CpuBackend, type CpuRun, computeByTwin } from './cpu.js'
import type { ThreadHost } from './thread-host.js'
import { Threads } from './threads.js'
import { relaxedSimdWasm, simdWasm, threadProgram } from './wasm.gen.js'

/** Less work than this, in multiply-adds, is done before other threads have woken up. */
const worthThreads = 2 ** 20
/** An array of this many bytes is likely the beginning of work for all threads. */
const worthStarting = 2 ** 22
/** Smaller arrays are made anew. */
const worthKeeping = 2 ** 16
/** Bytes that are kept between runs. */
const mostScratch = 2 ** 26
/** Bytes of arrays that are kept for the next ones of their size: fresh memory is slow to find, and what threads share is not collected in a hurry. */
const mostKept = 2 ** 27
/** Multiply-adds before the event loop gets a turn: a few milliseconds. */
const operationsPerTurn = 2 ** 25

interface Compiled {
  readonly adapter: string
  readonly engine: Engine
  readonly threads: Threads
}

/** Runs the WebAssembly form of each kernel that has one, on as many threads as it is given, and the twin of the others. */
export class WasmBackend extends CpuBackend {
  readonly adapter: string
  readonly runsForms = true
  /** 1 where there are no worker threads. */
  readonly threads: number
  readonly #engine: Engine
  readonly #threads: Threads | null
  /** Kept from run to run: to find fresh memory takes the system longer than most runs take to fill it. */
  #scratch = new Float32Array(0) as Float32Array
  readonly #spare: ArrayBufferLike[] = []

  constructor({ adapter, engine, threads }: Compiled, options: { threads: number; signal: AbortSignal | undefined }) {
    super(options.signal)
    this.adapter = adapter
    this.#engine = engine
    this.#threads = options.threads > 1 ? threads : null
    this.threads = this.#threads ? options.threads : 1
  }

  /**
   * Compiles the build and makes this process's instance of it, at the first call. Rejects where the engine or a page's policy does not
   * allow that.
   */
  static async open(
    host: ThreadHost,
    options: { relaxed: boolean; threads: number; signal: AbortSignal | undefined },
  ): Promise<WasmBackend> {
    return new WasmBackend(await compiledOnce(host, options.relaxed), options)
  }

  prepare(lengths: readonly number[]): void {
    if (!this.#threads || lengths.every((length) => length * 4 < worthStarting)) return
    this.#threads.start(this.threads)
    const fresh = lengths.map((length) => new SharedArrayBuffer(length * 4))
    this.#spare.push(...fresh)
    this.#threads.touch(fresh)
  }

  /** Where there is no other thread it is enqueued as anything else. */
  runBeside<P>(kernel: Kernel<P>, inputs: readonly DeviceMatrix[], params: P): DeviceMatrix {
    return this.#threads && kernel.wasm ? this.beside(kernel, inputs, params) : this.run(kernel, inputs, params)
  }

  protected override allocate(length: number): Float32Array {
    if (length * 4 >= worthStarting) this.#threads?.start(this.threads)
    const used = this.#used(length * 4)
    return used ? new Float32Array(used, 0, length) : this.#array(length)
  }

  protected override recycle({ buffer }: HostMatrix['data']): void {
    if (buffer.byteLength < worthKeeping || buffer.byteLength > mostKept) return
    this.#spare.push(buffer)
    let bytes = this.#spare.reduce((sum, { byteLength }) => sum + byteLength, 0)
    while (bytes > mostKept) bytes -= this.#spare.shift()?.byteLength ?? 0
  }

  /** Memory that was used before, the least that is enough and not twice of that; whatever it holds. */
  #used(byteLength: number): ArrayBufferLike | null {
    let found = -1
    for (const [at, spare] of this.#spare.entries()) {
      if (spare.byteLength < byteLength || spare.byteLength > 2 * byteLength) continue
      if (found < 0 || spare.byteLength < (this.#spare[found] as ArrayBufferLike).byteLength) found = at
    }
    return found < 0 ? null : (this.#spare.splice(found, 1)[0] ?? null)
  }

  #takeScratch(length: number): Float32Array {
    if (length === 0) return new Float32Array(0)
    const kept = this.#scratch
    // A run that is broken off leaves it to threads that may still write there.
    this.#scratch = new Float32Array(0)
    return kept.length >= length ? kept : this.#array(length)
  }

  #keepScratch(scratch: Float32Array): void {
    if (scratch.byteLength > 0 && scratch.byteLength <= mostScratch) this.#scratch = scratch
  }

  #zeros(length: number): Float32Array {
    const used = this.#used(length * 4)
    return used ? new Float32Array(used, 0, length).fill(0) : this.#array(length)
  }

  #array(length: number): Float32Array {
    return new Float32Array(this.#threads ? new SharedArrayBuffer(length * 4) : new ArrayBuffer(length * 4))
  }

  protected override held(matrix: HostMatrix): HostMatrix {
    const { data } = matrix
    if (!this.#threads || data.buffer instanceof SharedArrayBuffer) return matrix
    const buffer = this.#used(data.byteLength) ?? new SharedArrayBuffer(data.byteLength)
    const shared = data instanceof Uint32Array ? new Uint32Array(buffer, 0, data.length) : new Float32Array(buffer, 0, data.length)
    shared.set(data)
    return { ...matrix, data: shared }
  }

  protected async compute<P>(run: CpuRun<P>): Promise<Float32Array> {
    const { kernel, inputs, params, length, into, stop, isBeside } = run
    if (kernel.wasm === undefined) return await computeByTwin(run, into ?? this.#array(length))
    const form = formOf(kernel.wasm)
    const { phases, scratch, operations } = form.cut(inputs, params)
    const count = phases.reduce((sum, pieces) => sum + pieces, 0)
    const piecesPerTurn = Math.max(1, Math.floor((operationsPerTurn * count) / Math.max(operations, 1)))
    const isShared = this.#threads !== null && operations >= worthThreads && Math.max(...phases) > 1
    const work = { inputs, params, output: into ?? this.#zeros(length), scratch: this.#takeScratch(scratch) }
    if (isBeside && this.#threads) {
      await this.#threads.beside({ name: kernel.wasm, phases, work }, this.threads)
      this.#keepScratch(work.scratch)
      return work.output
    }
    if (isShared && this.#threads) {
      const options = { threads: this.threads, engine: this.#engine, piecesPerTurn, stop }
      await this.#threads.run({ name: kernel.wasm, form, phases, work }, options)
      this.#keepScratch(work.scratch)
      return work.output
    }
    let done = 0
    for (const [phase, pieces] of phases.entries()) {
      for (let piece = 0; piece < pieces; piece++) {
        form.run(this.#engine, work, phase, piece)
        if (++done % piecesPerTurn !== 0) continue
        await pause()
        stop()
      }
    }
    this.#keepScratch(work.scratch)
    return work.output
  }
}

/** Threads for work on the host, beside whatever backend: the calling one, where it may block, and workers. */
export async function openLanes(
  host: ThreadHost,
  options: { relaxed: boolean; threads: number; signal: AbortSignal | undefined },
): Promise<readonly Lane[]> {
  const { threads } = await compiledOnce(host, options.relaxed)
  return threads.lanes(options.threads, options.signal)
}

/** Both builds, by whether they are the relaxed one. */
const compiled = new Map<boolean, Promise<Compiled>>()

/** Once for all, but for a compilation that was refused: the next may succeed. */
function compiledOnce(host: ThreadHost, relaxed: boolean): Promise<Compiled> {
  const known = compiled.get(relaxed)
  if (known) return known
  const build = compile(host, relaxed)
  compiled.set(relaxed, build)
  build.catch(() => compiled.delete(relaxed))
  return build
}

async function compile(host: ThreadHost, relaxed: boolean): Promise<Compiled> {
  const bytes = fromBase64(relaxed ? relaxedSimdWasm : simdWasm)
  const module = await WebAssembly.compile(bytes)
  const engine = new Engine(await WebAssembly.instantiate(module))
  useDoubleEngine(new DoubleEngine(await WebAssembly.instantiate(module)))
  return {
    adapter: relaxed ? 'WASM SIMD relaxed' : 'WASM SIMD',
    engine,
    threads: new Threads(host, module, threadProgram),
  }
}
