import type { ActivationSetInput, AuditOptions, Progress, Report } from '../../src/index.js'
import { planted } from '../support/planted.js'
import { trustedRows } from '../support/trusted-rows.js'

// What the library promises wherever it runs. Nothing here is Node's or a test runner's: the same cases run in Node, in pages over the
// bundled sources and in a page over the built package, each handing in the module under test.

/** The module under test: `src/index.ts`, what was built from it, or `src/node.ts` with the `openAudit` that takes files. */
export type Library = typeof import('../../src/index.js')

/** What WebGPU there is: an adapter that computes on a GPU, one that computes on the CPU, or none. */
export type WebGpu = 'real' | 'software' | 'none'

/** A case's outcome, fit for JSON. */
export interface CaseResult {
  readonly name: string
  /** Null where the case holds. */
  readonly error: string | null
  /** What has to be the same wherever the case runs on the same backend. */
  readonly seen: unknown
}

interface Case {
  readonly name: string
  readonly run: (library: Library, webgpu: WebGpu) => Promise<unknown>
}

type BackendName = 'cpu' | 'webgpu'

const withPoison = planted({ seed: 1, rows: [150, 120, 90], features: 12, poison: { target: 1, rate: 0.15, shift: 12 } })
const poisoned = { ...withPoison, trusted: trustedRows(withPoison, 40) }
const plantedRows = [...poisoned.poison.keys()].filter((row) => poisoned.poison[row])
const unpoisoned = planted({ seed: 2, rows: 60, classes: 3, features: 8 })
/** Small whole numbers: the same bytes on every machine, whatever its logarithms and sines. */
const counted: ActivationSetInput = {
  activations: { data: Float32Array.from({ length: 4 * 40 }, (_, i) => ((i * 37) % 101) - 50), rows: 40, cols: 4 },
  labels: Array.from({ length: 40 }, (_, i) => i % 2),
}
const countedDigest = 'c6db877c8e3e45f5f978e9498d6f6b76bc0d651c8283bd2639f8fb2024a3a6c2' // also what Python's hashlib and struct make of it

/** What any number of threads has to give the same bits of: enough work that they are started. `took` is what the reason has to say. */
const threaded = (took: RegExp | null): Case => ({
  name: 'cpu: gives the same report on two threads as on one, and says how many it had',
  run: async ({ audit }) => {
    const set = planted({ seed: 5, rows: [900, 700], features: 48, poison: { target: 1, rate: 0.1, shift: 8 } })
    const options = { backend: 'cpu', detectors: ['spectral-signatures', 'activation-clustering'] } as const
    const plain = (report: Report) => ({ ...report, timings: null, backend: { ...report.backend, reason: null } })
    const two = await audit(set, { ...options, threads: 2 })
    same(plain(two), plain(await audit(set, { ...options, threads: 1 })), 'the report on two threads')
    const { crossOriginIsolated = true } = globalThis as { crossOriginIsolated?: boolean }
    const expected = took ?? (crossOriginIsolated ? /; 2 threads$/ : /; 1 thread, since the page is not cross-origin isolated$/)
    check(expected.test(two.backend.reason), `the reason is "${two.backend.reason}"`)
  },
})

/**
 * Which cases a place is for: `brief` is one audit on WebGPU besides the CPU's, since software adapters take seconds for each; it has no
 * WebAssembly, as `no-wasm` has none for all its threads. In `no-workers` no worker starts.
 */
export type Place = 'webgpu' | 'brief-webgpu' | 'cpu' | 'no-workers' | 'no-wasm'

const noWasm = /; WebAssembly does not start: .*(?:Content Security Policy|unsafe-eval)/

/** The cases for a place. Their names are unique. */
export function contractCases(place: Place): Case[] {
  if (place === 'cpu') return [...onBackend('cpu'), threaded(null), ...withoutWebGpu, ...anywhere]
  if (place === 'no-workers') return [...onBackend('cpu'), threaded(/; 1 thread, since a worker does not start here /)]
  if (place === 'no-wasm') return [...onBackend('cpu'), threaded(noWasm)]
  if (place === 'brief-webgpu') return [...onBackend('cpu'), threaded(noWasm), ...onBackend('webgpu').slice(0, 1), ...anywhere]
  return [...onBackend('cpu'), threaded(null), ...onBackend('webgpu'), ...withWebGpu, ...anywhere]
}

/** Runs the cases one after the other; none stops those after it. */
export async function runCase({ name, run }: Case, library: Library, webgpu: WebGpu): Promise<CaseResult> {
  let seen: unknown = null
  let error: string | null = null
  try {
    seen = (await run(library, webgpu)) ?? null
  } catch (caught) {
    error = caught instanceof Error ? `${caught.name}: ${caught.message}\n${caught.stack ?? ''}` : `threw ${String(caught)}`
  }
  return { name, error, seen }
}

/** What WebGPU a place has, asked of itself and not of the library. */
export async function probeWebGpu(gpu: GPU | undefined): Promise<WebGpu> {
  const adapter = await gpu?.requestAdapter()
  if (!adapter) return 'none'
  return adapter.info.isFallbackAdapter ? 'software' : 'real'
}

function onBackend(backend: BackendName): Case[] {
  return [
    {
      name: `${backend}: finds planted poison, its class and its rows, and accuses nothing else; progress never goes back`,
      run: async (library) => {
        const { report, scores, detectorScores, progress } = await scored(library, backend)
        check(accuses(report.verdict), `the verdict is ${report.verdict}`)
        same(
          report.classes.filter(({ verdict }) => accuses(verdict)).map(({ label }) => label),
          [1],
          'accused classes',
        )
        same([...report.rows.flagged].sort(ascending), plantedRows, 'flagged rows')
        same(report.backend.name, backend, 'backend')
        same(
          [...detectorScores.keys()],
          report.detectors.map(({ id }) => id),
          'detectors with scores',
        )
        for (const own of [scores, ...detectorScores.values()])
          check(own.length === 360 && own.every(Number.isFinite), 'a score is missing')
        check(
          scores.every((score) => score >= 0 && score <= 1),
          'a score is not within 0 … 1',
        )
        same([progress[0]?.done, progress.at(-1)?.done], [0, progress.at(-1)?.total], 'where progress starts and ends')
        for (const [i, { done }] of progress.entries())
          check(i === 0 || done >= (progress[i - 1]?.done as number), `progress fell to ${done}`)
        return { verdict: report.verdict, classes: report.classes.map(({ verdict }) => verdict) }
      },
    },
    {
      name: `${backend}: gives the same report and scores for the same seed, but for the clock`,
      run: async (library) => {
        const plain = ({ report, scores, detectorScores }: Audited) => ({
          report: { ...report, timings: null },
          scores: [...scores],
          own: [...detectorScores].map(([id, own]) => [id, ...own]),
        })
        const first = await scored(library, backend)
        same(plain(await library.auditWithScores(poisoned, { backend, seed: 3 })), plain(first), 'the second run')
      },
    },
    {
      name: `${backend}: an abort before the start and in mid-run rejects with the signal’s own reason`,
      run: async ({ audit }) => {
        const early = { why: 'before the start' }
        check((await refusal(audit(poisoned, { backend, signal: AbortSignal.abort(early) }))) === early, 'another reason was thrown')
        const aborter = new AbortController()
        const reason = { why: 'in mid-run' }
        const onProgress = ({ done }: Progress) => {
          if (done > 0) aborter.abort(reason)
        }
        check((await refusal(audit(poisoned, { backend, signal: aborter.signal, onProgress }))) === reason, 'another reason was thrown')
      },
    },
    {
      name: `${backend}: detectors called on a context free what they held, and nothing can be used after it was disposed`,
      run: async ({ createContext, spectralSignatures, activationClustering, BackendError }) => {
        const context = await createContext({ backend, seed: 5 })
        const { scores } = ran(await spectralSignatures(context, poisoned, { k: 2 }))
        check(scores.every(Number.isFinite), 'a score is not finite')
        ran(await activationClustering(context, poisoned))
        same(context.backend.liveBytes, 0, 'bytes held after the detectors')
        const matrix = context.backend.upload({ data: Float32Array.of(1, 2), rows: 1, cols: 2, type: 'f32' })
        check(context.backend.liveBytes > 0, 'an upload holds no bytes')
        same([...(await context.backend.read(matrix))], [1, 2], 'what was uploaded')
        matrix[Symbol.dispose]()
        same(context.backend.liveBytes, 0, 'bytes held after the matrix was disposed')
        context[Symbol.dispose]()
        context[Symbol.dispose]() // twice is nothing
        const error = await refusal(spectralSignatures(context, poisoned))
        check(error instanceof BackendError && error.code === 'disposed', `got ${error}`)
      },
    },
  ]
}

const withWebGpu: readonly Case[] = [
  {
    name: 'every detector by itself scores the same on webgpu as on cpu, to a thousandth of the range',
    run: async ({ audit, auditWithScores }) => {
      const ids = (await audit(poisoned, { backend: 'cpu' })).detectors.map(({ id }) => id)
      check(ids.length >= 2, `the detectors are ${ids}`)
      for (const id of ids) {
        const score = async (backend: BackendName) => {
          const { report, detectorScores } = await auditWithScores(poisoned, { backend, detectors: [id] })
          same(
            report.detectors.map(({ status }) => status),
            ['ran'],
            `${id} on ${backend}`,
          )
          return { scores: detectorScores.get(id) as Float32Array, flagged: [...report.rows.flagged].sort(ascending) }
        }
        const [cpu, webgpu] = [await score('cpu'), await score('webgpu')]
        same(webgpu.flagged, cpu.flagged, `${id}: flagged rows`)
        const sorted = cpu.scores.slice().sort()
        const range = (sorted.at(-1) as number) - (sorted[0] as number)
        for (const [row, value] of cpu.scores.entries()) {
          const got = webgpu.scores[row] as number
          check(Math.abs(got - value) <= 1e-3 * range, `${id}: row ${row} scores ${got} on webgpu, ${value} on cpu, range ${range}`)
        }
      }
    },
  },
  {
    name: 'auto takes a real GPU, and a software adapter only where that is allowed; it says which and why',
    run: async ({ audit }, webgpu) => {
      const { backend: chosen } = await audit(counted)
      same(chosen.name, webgpu === 'real' ? 'webgpu' : 'cpu', 'the backend')
      check(chosen.reason.includes(webgpu === 'real' ? 'a GPU is there' : 'a software one'), `the reason is: ${chosen.reason}`)
      const { backend: allowed, verdict } = await audit(unpoisoned, { softwareAdapters: true })
      same(allowed.name, 'webgpu', 'the backend where software adapters are allowed')
      check(allowed.adapter.length > 0, 'the adapter has no name')
      check(!accuses(verdict), `the verdict on unpoisoned data is ${verdict}`)
    },
  },
]

const withoutWebGpu: readonly Case[] = [
  {
    name: 'auto takes the CPU and says why',
    run: async ({ audit }) => {
      const { backend } = await audit(poisoned)
      same(backend.name, 'cpu', 'the backend')
      check(/WebGPU|webgpu/.test(backend.reason), `the reason is: ${backend.reason}`)
    },
  },
  {
    name: 'webgpu asked for by name is refused, never replaced',
    run: async ({ audit, createContext, BackendError }) => {
      for (const work of [audit(counted, { backend: 'webgpu' }), createContext({ backend: 'webgpu' })]) {
        const error = await refusal(work)
        check(error instanceof BackendError && error.code === 'backend-unavailable', `got ${error}`)
      }
    },
  },
]

const anywhere: readonly Case[] = [
  {
    name: 'accuses nothing in unpoisoned data',
    run: async ({ audit }) => {
      const report = await audit(unpoisoned, { backend: 'cpu' })
      check(!accuses(report.verdict), `the verdict is ${report.verdict}`)
      same(report.rows.flagged, [], 'flagged rows')
      same(
        report.detectors.map(({ status }) => status),
        report.detectors.map(() => 'ran'),
        'detectors',
      )
    },
  },
  {
    name: 'gives an answer for each of a thousand classes of twenty-one rows',
    run: async ({ audit }) => {
      const { activations } = planted({ seed: 6, rows: 21_000, classes: 1, features: 4 })
      const labels = Int32Array.from({ length: activations.rows }, (_, row) => row % 1000)
      const report = await audit({ activations, labels }, { backend: 'cpu' })
      same([report.input.classes, report.classes.length], [1000, 1000], 'classes')
      check(
        report.classes.every(({ rows, evidence }) => rows === 21 && evidence.length > 0),
        'a class has no evidence',
      )
    },
  },
  {
    name: 'a value that is not finite is named by row and column',
    run: async ({ audit, InputError }) => {
      const data = unpoisoned.activations.data.slice()
      data[7 * 8 + 2] = Number.NaN
      const error = await refusal(audit({ ...unpoisoned, activations: { ...unpoisoned.activations, data } }))
      check(error instanceof InputError && error.code === 'not-finite', `got ${error}`)
      check((error as Error).message.includes('activations: row 7, column 2 is NaN'), `the message is: ${(error as Error).message}`)
    },
  },
  {
    name: 'all arrays that do not fit are named at once',
    run: async ({ audit, InputError }) => {
      const error = await refusal(audit({ ...unpoisoned, labels: [1, 2], predictions: [3] }))
      check(error instanceof InputError, `got ${error}`)
      for (const name of ['labels: got 2 rows', 'predictions: got 1 rows']) {
        check((error as Error).message.includes(name), `the message is: ${(error as Error).message}`)
      }
    },
  },
  {
    name: 'all wrong options are named at once',
    run: async ({ audit, OptionError, AssayError }) => {
      const error = await refusal(audit(unpoisoned, { backend: 'gpu', seed: 1.5, speed: 'fast' } as unknown as AuditOptions))
      check(error instanceof AssayError && error instanceof OptionError, `got ${error}`)
      same([(error as Error).name, (error as { code?: unknown }).code], ['OptionError', 'bad-option'], 'name and code')
      for (const name of ['backend', 'seed', 'speed']) check((error as Error).message.includes(name), `${name} is not named: ${error}`)
      const options = { detectors: ['nonsense'], detectorOptions: { 'spectral-signatures': { k: 0 } } }
      const { message } = (await refusal(audit(unpoisoned, options))) as Error
      check(message.includes('nonsense') && message.includes('spectral-signatures: k: got 0'), `the message is: ${message}`)
    },
  },
  {
    name: 'the digest of arrays is the same everywhere, whatever the arrays',
    run: async ({ audit }) => {
      const { data, ...shape } = counted.activations as { data: Float32Array; rows: number; cols: number }
      for (const values of [data, [...data], Float64Array.from(data), Int8Array.from(data)]) {
        same((await audit({ ...counted, activations: { ...shape, data: values } })).input.digest, countedDigest, 'the digest')
      }
    },
  },
  {
    name: 'rows that come in blocks give what arrays give, also where they do not fit and are read again',
    run: async ({ audit }) => {
      const { data, rows, cols } = many.activations
      const inBlocks = {
        rows,
        cols,
        async *blocks(rowsPerBlock: number) {
          for (let row = 0; row < rows; row += rowsPerBlock) yield data.slice(row * cols, (row + rowsPerBlock) * cols)
        },
      }
      await sameAudits(audit, many, { ...many, activations: inBlocks })
    },
  },
  {
    name: 'files are read as arrays are, also where they do not fit and are read again',
    run: async ({ audit, openAudit }) => {
      const { data, rows, cols } = many.activations
      const files = [npyFile('activations.npy', '<f4', [rows, cols], data), npyFile('labels.npy', '<i4', [rows], many.labels)]
      await sameAudits(audit, many, await openAudit(files))
      const cut = new File([(files[1] as File).slice(0, 300)], 'labels.npy')
      const error = await refusal(openAudit([files[0] as File, cut]))
      check((error as { code?: unknown }).code === 'truncated' && String(error).includes('labels.npy'), `got ${error}`)
    },
  },
  {
    name: 'string labels and names of classes come back as they were given',
    run: async ({ audit }) => {
      const labels = Array.from({ length: 40 }, (_, i) => (i % 2 ? 'stop' : 'ß<b>'))
      const report = await audit({ ...counted, labels, classNames: { stop: 'Stop sign' } })
      same(
        report.classes.map(({ label, name }) => [label, name]),
        [
          ['stop', 'Stop sign'],
          ['ß<b>', 'ß<b>'],
        ],
        'classes',
      )
    },
  },
  {
    name: 'nothing that was passed in is changed or taken away',
    run: async ({ audit }) => {
      const before = structuredClone(unpoisoned)
      await audit(unpoisoned)
      same([...unpoisoned.activations.data, ...unpoisoned.labels], [...before.activations.data, ...before.labels], 'the input')
    },
  },
  {
    name: 'a report can be written as JSON and as text',
    run: async ({ audit, renderJson, renderTerminal }) => {
      const report: Report = await audit(poisoned, { seed: 3 })
      const { verdict, rows, classes }: Report = JSON.parse(renderJson(report))
      same({ verdict, rows, classes }, { verdict: report.verdict, rows: report.rows, classes: report.classes }, 'what JSON keeps')
      check(renderTerminal(report, { color: false, width: 80 }).startsWith(report.verdict.toUpperCase()), 'the text gives the verdict')
    },
  },
  {
    name: 'other work gets its turn while an audit runs on the CPU',
    run: async ({ audit }) => {
      const set = planted({ seed: 8, rows: 3000, classes: 1, features: 128 })
      let turns = 0
      const timer = setInterval(() => turns++, 1)
      await audit(set, { backend: 'cpu' }).finally(() => clearInterval(timer))
      check(turns >= 3, `a timer fired ${turns} times`)
    },
  },
]

/** 1.4 MiB of activations: more than the least memory that an audit can be given. */
const many = planted({ seed: 12, rows: [8900, 300], features: 40 })

/** Holds an audit of `set` to that of the same rows as arrays, with all the memory there is and with the least. */
async function sameAudits(audit: Library['audit'], arrays: ActivationSetInput, set: ActivationSetInput): Promise<void> {
  const options = { backend: 'cpu', detectors: ['spectral-signatures'] } as const
  const expected = await audit(arrays, options)
  for (const memory of [2 ** 20, 2 ** 24]) {
    const report = await audit(set, { ...options, memory })
    same(report.input, expected.input, 'the input')
    same(
      report.classes.map(({ verdict, evidence }) => [verdict, evidence.map(({ statistic }) => Number(statistic.toPrecision(4)))]),
      expected.classes.map(({ verdict, evidence }) => [verdict, evidence.map(({ statistic }) => Number(statistic.toPrecision(4)))]),
      'classes',
    )
    check(report.backend.reason.includes('read them again') === (memory === 2 ** 20), `the reason is ${report.backend.reason}`)
  }
}

/** Numbers as numpy.save writes them. */
function npyFile(name: string, descr: string, shape: readonly number[], data: Float32Array | Int32Array): File {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`.padEnd(117)
  const head = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0)
  return new File([head, `${header}\n`, data as Float32Array<ArrayBuffer>], name)
}

type Audited = Awaited<ReturnType<Library['auditWithScores']>>
type Scored = Audited & { readonly progress: readonly Progress[] }

const scoredBefore = new WeakMap<Library['audit'], Map<BackendName, Promise<Scored>>>()

/** One audit of the planted set, run once for the cases that look at it. */
function scored({ audit, auditWithScores }: Library, backend: BackendName): Promise<Scored> {
  const runs = scoredBefore.get(audit) ?? new Map<BackendName, Promise<Scored>>()
  scoredBefore.set(audit, runs)
  const progress: Progress[] = []
  const run =
    runs.get(backend) ??
    auditWithScores(poisoned, { backend, seed: 3, onProgress: (one) => progress.push(one) }).then((done) => ({ ...done, progress }))
  runs.set(backend, run)
  return run
}

const accuses = (verdict: string) => verdict === 'suspicious' || verdict === 'poisoned'

const ascending = (a: number, b: number) => a - b

/** What work was refused with. */
async function refusal(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('it was taken')
}

function ran(result: Awaited<ReturnType<Library['spectralSignatures']>>) {
  if (result.status !== 'ran') throw new Error(`${result.id} ${result.status}: ${result.reason}`)
  return result
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

function same(got: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: got ${a?.slice(0, 500)}, expected ${b?.slice(0, 500)}`)
}
