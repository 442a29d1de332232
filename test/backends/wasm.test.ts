import { describe, expect, test } from 'vitest'
import { kernelCases } from '../../bench/kernels/cases.js'
import { nodeThreads } from '../../src/backends/node-worker-pool.js'
import type { ThreadHost } from '../../src/backends/thread-host.js'
import { Threads } from '../../src/backends/threads.js'
import { WasmBackend } from '../../src/backends/wasm.js'
import type { Kernel } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import type { Engine } from '../../src/forms/engine.js'
import type { Form } from '../../src/forms/form.js'
import type { FromThread, Run } from '../../src/forms/thread.js'
import { audit, auditWithScores } from '../../src/node.js'
import { expectParity } from '../support/parity.js'
import { planted } from '../support/planted.js'

const open = (threads: number, { relaxed = true, signal }: { relaxed?: boolean; signal?: AbortSignal } = {}) =>
  WasmBackend.open(nodeThreads, { relaxed, threads, signal })

/** Large enough that threads share the work, with classes of more chunks than one and of a single one. */
const sizes = [
  { classes: 2, rowsPerClass: 2500, cols: 64 },
  { classes: 40, rowsPerClass: 70, cols: 96 },
]
const cases = sizes.flatMap((size) =>
  kernelCases(size)
    .filter(({ kernel }) => kernel.wasm !== undefined)
    .map((one) => ({ ...one, name: `${one.kernel.id}, ${size.classes} classes of ${size.rowsPerClass}` })),
)

async function compute(backend: WasmBackend, { kernel, inputs, params }: Pick<(typeof cases)[number], 'kernel' | 'inputs' | 'params'>) {
  const held = inputs.map((input) => backend.upload(input))
  using output = backend.run(kernel, held, params)
  for (const matrix of held) matrix[dispose]()
  return await backend.read(output)
}

describe('WebAssembly forms', () => {
  test.each(cases)('give the same bits on any number of threads, and what the twin gives: $name', async (one) => {
    const [alone, two, five] = await Promise.all([1, 2, 5].map(async (threads) => compute(await open(threads), one)))
    expect(two).toEqual(alone)
    expect(five).toEqual(alone)
    const twin = new Float32Array((alone as Float32Array).length)
    for (const _ of one.kernel.cpu(one.inputs, one.params, twin));
    expectParity(one.kernel, alone as Float32Array, twin)
  })

  test.each(cases)('of the build without relaxed SIMD give what the twin gives: $name', async (one) => {
    const backend = await open(2, { relaxed: false })
    expect(backend.adapter).toBe('WASM SIMD')
    const actual = await compute(backend, one)
    const twin = new Float32Array(actual.length)
    for (const _ of one.kernel.cpu(one.inputs, one.params, twin));
    expectParity(one.kernel, actual, twin)
  })

  test.each([
    ['more with more threads', 64],
    ['one, whose directions are found beside the next one', 384],
  ])('of whole audits give the same bits however many classes are gathered at a time: %s', async (_, features) => {
    const set = planted({ seed: 5, rows: [9000, 3000, 9000], features, poison: { target: 1, rate: 0.2, shift: 14 } })
    const essence = async (threads: number) => {
      const options = { backend: 'cpu', threads, detectors: ['spectral-signatures', 'activation-clustering', 'scan'] } as const
      const { scores, detectorScores, report } = await auditWithScores(set, options)
      return { scores, detectorScores, classes: report.classes }
    }
    const alone = await essence(1)
    expect(await essence(2)).toEqual(alone)
    expect(await essence(4)).toEqual(alone)
  })

  test('are looked up by the name that a kernel gives; one that has none is refused where it is read', async () => {
    const [one] = cases as [(typeof cases)[number]]
    const backend = await open(1)
    await expect(compute(backend, { ...one, kernel: { ...one.kernel, wasm: 'no-such' } as Kernel<unknown> })).rejects.toThrow(/no-such/)
    expect(backend.liveBytes).toBe(0)
  })
})

test('a report is the same on one thread and on three, but for the clock and the reason', async () => {
  const set = planted({ seed: 3, rows: [900, 700, 40], features: 24, poison: { target: 1, rate: 0.1, shift: 8 } })
  const options = { backend: 'cpu', seed: 4, detectors: ['spectral-signatures', 'activation-clustering'] } as const
  const [alone, three] = await Promise.all([1, 3].map((threads) => audit(set, { ...options, threads })))
  expect(alone?.backend.reason).toBe('asked for by name; 1 thread')
  expect(three?.backend.reason).toBe('asked for by name; 3 threads')
  const plain = (report: typeof alone) => ({ ...report, timings: null, backend: { ...report?.backend, reason: null } })
  expect(plain(three)).toEqual(plain(alone))
})

describe('a run beside others', () => {
  test.each(cases)('gives the same bits: $name', async (one) => {
    const backend = await open(2)
    const held = one.inputs.map((input) => backend.upload(input))
    using beside = backend.runBeside(one.kernel, held, one.params)
    for (const matrix of held) matrix[dispose]()
    expect(await backend.read(beside)).toEqual(await compute(await open(1), one))
  })

  test.each([
    [2, 'is done before a longer one that was enqueued before', ['beside', 'enqueued']],
    [1, 'waits for its turn where there is no other thread', ['enqueued', 'beside']],
  ] as const)('on %i: %s', async (threads, _, expected) => {
    const of = (size: Parameters<typeof kernelCases>[0]) =>
      kernelCases(size).find(({ kernel }) => kernel.id === 'gram') as (typeof cases)[number]
    const [long, short] = [of({ classes: 1, rowsPerClass: 40_000, cols: 256 }), of({ classes: 1, rowsPerClass: 200, cols: 32 })]
    const backend = await open(threads)
    const upload = ({ inputs }: typeof long) => inputs.map((input) => backend.upload(input))
    const [ofLong, ofShort] = [upload(long), upload(short)]
    using enqueued = backend.run(long.kernel, ofLong, long.params)
    using beside = backend.runBeside(short.kernel, ofShort, short.params)
    const done: string[] = []
    await Promise.all([backend.read(enqueued).then(() => done.push('enqueued')), backend.read(beside).then(() => done.push('beside'))])
    expect(done).toEqual(expected)
    for (const matrix of [...ofLong, ...ofShort]) matrix[dispose]()
  })
})

test('an abort in the middle of a run rejects with the signal’s own reason, and the threads serve the next run', async () => {
  const [, gram] = kernelCases({ classes: 8, rowsPerClass: 3000, cols: 256 })
  const one = gram as (typeof cases)[number]
  const aborter = new AbortController()
  const reason = new Error('enough')
  const backend = await open(2, { signal: aborter.signal })
  const work = compute(backend, one)
  setTimeout(() => aborter.abort(reason), 20)
  await expect(work).rejects.toBe(reason)
  expect(backend.liveBytes).toBe(0)
  const [small] = cases as [(typeof cases)[number]]
  expect((await compute(await open(2), small)).every(Number.isFinite)).toBe(true)
})

describe('worker threads', () => {
  const form: Form<null> = { cut: () => ({ phases: [4], scratch: 0, operations: 1 }), run: () => undefined }
  const work = { inputs: [], params: null, output: new Float32Array(0), scratch: new Float32Array(0) }

  /** Threads that never compute; `onRun` is told of each run that is posted, and how to answer. */
  function fakeThreads(onRun: (run: Run, on: { message(message: FromThread): void; failure(error: unknown): void }) => void) {
    const started: unknown[] = []
    const host: ThreadHost = {
      available: 2,
      callerTakesPart: false,
      without: async () => null,
      start(_program, on) {
        started.push(on)
        const nothing = () => undefined
        return { post: (message) => 'form' in message && onRun(message, on), ref: nothing, unref: nothing }
      },
    }
    const threads = new Threads(host, null as unknown as WebAssembly.Module, '')
    const run = (stop: () => void = () => undefined) =>
      threads.run({ name: 'a form', form, phases: [4], work }, { threads: 1, engine: null as unknown as Engine, piecesPerTurn: 1, stop })
    const beside = () => threads.beside({ name: 'a form', phases: [4], work }, 1)
    return { started, run, beside }
  }

  test('start when they are needed, and once', async () => {
    const { started, run } = fakeThreads(({ state }) => Atomics.store(state, 3, 4))
    expect(started).toHaveLength(0)
    await run()
    await run()
    expect(started).toHaveLength(1)
  })

  test('one that fails makes the run fail, and says why', async () => {
    const { run } = fakeThreads(({ id }, { message }) => setImmediate(() => message({ id, failure: 'RangeError: no memory' })))
    await expect(run()).rejects.toMatchObject({ code: 'thread-failed', message: 'cpu: a thread failed in a form: RangeError: no memory' })
  })

  test('one that ends makes the run fail, and another takes its place', async () => {
    let runs = 0
    const { started, run } = fakeThreads(({ state }, { failure }) => {
      if (runs++ === 0) setImmediate(() => failure(new Error('it ended with code 1')))
      else Atomics.store(state, 3, 4)
    })
    await expect(run()).rejects.toThrow('it ended with code 1')
    await run()
    expect(started).toHaveLength(2)
  })

  test('one that fails or ends in a run beside others makes that fail', async () => {
    const failing = fakeThreads(({ id }, { message }) => setImmediate(() => message({ id, failure: 'RangeError: no memory' })))
    await expect(failing.beside()).rejects.toMatchObject({
      code: 'thread-failed',
      message: 'cpu: a thread failed in a form: RangeError: no memory',
    })
    const ending = fakeThreads((_run, { failure }) => setImmediate(() => failure(new Error('it ended with code 1'))))
    await expect(ending.beside()).rejects.toThrow('it ended with code 1')
  })

  test('a run that is stopped throws what `stop` throws', async () => {
    const { run } = fakeThreads(() => undefined)
    const reason = new Error('enough')
    await expect(
      run(() => {
        throw reason
      }),
    ).rejects.toBe(reason)
  })
})
