import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { dispose } from '../../src/core/dispose.js'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { gramKernel } from '../../src/kernels/gram.js'
import { audit, createContext } from '../../src/node.js'
import { findPython, runPeer } from '../detectors/peer.js'
import { plantedSet } from '../detectors/planted.js'
import { kernelCases } from '../kernels/cases.js'
import { cpuCopyBandwidth } from '../kernels/ceilings.js'
import { describeMachine, root } from '../machine.js'
import { printTable, short, summarise } from '../repeats.js'
import { writeHugeSet } from './huge-file.js'
import { pooledPoison, pooledSet } from './pooled-rows.js'
import { runStages } from './stages.js'

const { values: flags } = parseArgs({
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    repeats: { type: 'string', default: '3' },
    only: { type: 'string', default: 'first,gram,classes,rows' },
    small: { type: 'boolean' },
    'huge-rows': { type: 'string' },
    memory: { type: 'string', default: '256' },
    detectors: { type: 'string', default: '' },
  },
})
const threads = Number(flags.threads)
const repeats = Number(flags.repeats)
for (const [name, value] of Object.entries({ threads, repeats })) {
  if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`--${name}: got ${value}, expected a whole number above 0`)
}
const parts = { first: firstAudit, gram: gramBesideNumpy, classes: manyClasses, rows: manyRows, huge }
const wanted = flags.only.split(',').map((name) => {
  if (!Object.hasOwn(parts, name)) throw new RangeError(`--only: got ${name}, expected some of ${Object.keys(parts).join(', ')}`)
  return parts[name as keyof typeof parts]
})
/** How far inertia, silhouette and largest score may be from the peer's before anything is timed. */
const agreement = 0.01
/** What an audit from files beyond memory may take at most of reading and computing alone, and the memory that it may take. */
const mostTimes = 2.5
const mostBytes = 1.5e9
const python = findPython()

console.log(`${describeMachine()}; ${threads} threads; ${repeats} repeats; spread = (largest − least) / median`)
if (!python)
  console.log('peer: skipped: there is no Python with numpy and scikit-learn (Debian: python3-numpy python3-sklearn; or set PYTHON)')
for (const part of wanted) {
  await part()
}

/** One audit in a process of its own, beside the same work by numpy and scikit-learn in one of its own, in turns. */
async function firstAudit(): Promise<void> {
  const size = flags.small ? { rows: 5000, cols: 64, classes: 10 } : { rows: 50_000, cols: 512, classes: 10 }
  const set = plantedSet(size)
  const folder = await mkdtemp(join(tmpdir(), 'assay-bench-'))
  try {
    await writeFile(join(folder, 'activations.npy'), writeNpyFloat32(set.activations.data, [size.rows, size.cols]))
    await writeFile(join(folder, 'labels.npy'), writeNpyFloat32(Float32Array.from(set.labels), [size.rows]))
    const ours: number[] = []
    const theirs: number[] = []
    let backend = ''
    let peer = ''
    for (let i = 0; i < repeats; i++) {
      const own = inOwnProcess(folder, size)
      ours.push(own.totalMs)
      backend = own.backend
      if (!python) continue
      const other = runPeer(python, folder, threads)
      theirs.push(other.totalMs)
      if (i === 0) {
        peer = `numpy ${other.numpy}, scikit-learn ${other.sklearn}, ${threads} threads`
        apart(
          'silhouette',
          own.silhouettes,
          other.classes.map(({ silhouette }) => silhouette),
        )
        apart(
          'largest score',
          own.largestScores,
          other.classes.map(({ largestScore }) => largestScore),
        )
        using context = await createContext({ backend: 'cpu', threads })
        apart(
          'inertia',
          [...(await runStages(context, set)).clustering.inertia],
          other.classes.map(({ inertia }) => inertia),
        )
      }
    }
    console.log(`\nfirst audit of a process, ${size.rows} rows × ${size.cols} in ${size.classes} classes, digest and all (${backend})`)
    table([
      ['Assay', ours],
      [peer, theirs],
    ])
    if (theirs.length > 0)
      ratio(
        'the peer takes',
        theirs.map((ms, i) => ms / (ours[i] as number)),
        'times as long',
      )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface OwnProcess {
  readonly totalMs: number
  readonly backend: string
  readonly silhouettes: readonly number[]
  readonly largestScores: readonly number[]
}

function inOwnProcess(folder: string, { rows, cols }: { rows: number; cols: number }): OwnProcess {
  const args = [process.env.BENCH_FIRST_AUDIT as string, folder, String(rows), String(cols), String(threads)]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the audit failed: ${stderr}`)
  return JSON.parse(stdout) as OwnProcess
}

/** Throws where two figures of a class are more than 1 % apart. */
function apart(what: string, ours: readonly number[], theirs: readonly number[]): void {
  const worst = Math.max(...theirs.map((value, c) => Math.abs(((ours[c] ?? Number.NaN) - value) / value)))
  if (!(worst <= agreement))
    throw new Error(`${what} differs by ${(100 * worst).toFixed(2)} % from the peer's; there is no point in timing it`)
}

/** The Gram kernel beside numpy's product, which OpenBLAS computes: both counted as 2·n·d² operations. */
async function gramBesideNumpy(): Promise<void> {
  const [rows, cols] = flags.small ? [2000, 128] : [20_000, 512]
  const one = kernelCases({ classes: 1, rowsPerClass: rows, cols }).find(({ kernel }) => kernel.id === gramKernel.id)
  if (!one) throw new Error('there is no case of the Gram kernel')
  const expected = new Float32Array(cols * cols)
  for (const _ of one.kernel.cpu(one.inputs, one.params, expected));
  const operations = 2 * rows * cols * cols
  const bytes = 4 * (rows * cols + cols * cols)
  console.log(
    `\nGram matrix, ${rows} × ${cols}: ${short(operations / 1e9)} Gop counted, ${short(bytes / 1e6)} MB read and written; a copy moves ${short((await cpuCopyBandwidth()) / 1e9)} GB/s, so memory is no limit`,
  )
  for (const count of new Set([1, threads])) {
    using context = await createContext({ backend: 'cpu', threads: count })
    const inputs = one.inputs.map((input) => context.backend.upload(input))
    const ours: number[] = []
    const theirs: number[] = []
    let peer = 'numpy'
    for (let i = 0; i < repeats; i++) {
      if (python) {
        const other = numpyGram(rows, cols, count)
        peer = `numpy ${other.numpy}`
        theirs.push(Math.min(...other.timesMs))
      }
      const times: number[] = []
      for (let repeat = 0; repeat < 7; repeat++) {
        const began = performance.now()
        using output = context.backend.run(one.kernel, inputs, one.params)
        const values = await context.backend.read(output)
        if (repeat >= 2) times.push(performance.now() - began)
        if (i === 0 && repeat === 0) checkClose(values, expected, one.kernel.tolerance)
      }
      ours.push(Math.min(...times))
    }
    for (const input of inputs) input[dispose]()
    console.log(
      `${count} ${count === 1 ? 'thread' : 'threads'}, best of five a repeat; ${short(operations / Math.min(...ours) / 1e6)} Gop/s`,
    )
    table([
      ['Assay', ours],
      [peer, theirs],
    ])
    if (theirs.length > 0)
      ratio(
        "share of OpenBLAS's rate reached:",
        theirs.map((ms, i) => (100 * ms) / (ours[i] as number)),
        '%',
      )
  }
}

function numpyGram(rows: number, cols: number, count: number): { numpy: string; timesMs: number[] } {
  const env = { ...process.env, OMP_NUM_THREADS: String(count), OPENBLAS_NUM_THREADS: String(count) }
  const args = [join(root, 'bench', 'peers', 'numpy_gram.py'), String(rows), String(cols)]
  const { status, stdout, stderr } = spawnSync(python as string, args, { encoding: 'utf8', env })
  if (status !== 0) throw new Error(`the peer failed: ${stderr}`)
  return JSON.parse(stdout)
}

function checkClose(actual: Float32Array, expected: Float32Array, { atol, rtol }: { atol: number; rtol: number }): void {
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  const wrong = expected.findIndex((value, i) => !(Math.abs((actual[i] as number) - value) <= atol * scale + rtol * Math.abs(value)))
  if (wrong >= 0) throw new Error(`value ${wrong} is ${actual[wrong]}, expected ${expected[wrong]}; there is no point in timing it`)
}

/** Many small classes beside few large ones of as many rows. */
async function manyClasses(): Promise<void> {
  const [rows, cols] = flags.small ? [5000, 64] : [100_000, 512]
  const few = plantedSet({ rows, cols, classes: 10 })
  const many = plantedSet({ rows, cols, classes: rows / 100 })
  const times: [number[], number[]] = [[], []]
  for (let i = 0; i <= repeats; i++) {
    for (const [at, set] of [few, many].entries()) {
      using context = await createContext({ backend: 'cpu', threads })
      const { ms, clustering } = await runStages(context, set)
      if (!clustering.inertia.every((inertia) => inertia > 0)) throw new Error('a class has no split; there is no point in timing it')
      if (i > 0) times[at as 0 | 1].push(ms)
    }
  }
  console.log(`\n${rows} rows × ${cols}, from arrays to clusters, silhouettes left out`)
  table([
    ['10 classes', times[0]],
    [`${rows / 100} classes`, times[1]],
  ])
  ratio(
    'many take',
    times[1].map((ms, i) => ms / (times[0][i] as number)),
    'times as long',
  )
}

/** How time grows with the rows: the stages without the silhouettes at every size, whole audits where classes are beyond the switch of exact silhouettes. */
async function manyRows(): Promise<void> {
  const sizes = flags.small ? [1000, 2000, 4000] : [10_000, 40_000, 160_000, 320_000, 640_000]
  const classes = 10
  const detectorOptions = { 'activation-clustering': { exactRows: flags.small ? 150 : 10_000 } }
  const stages: Measured[] = []
  const whole: Measured[] = []
  for (const rows of sizes) {
    const set = pooledSet(rows, { cols: 128, classes })
    const isBeyond = rows / classes > detectorOptions['activation-clustering'].exactRows
    const one: Measured = { rows, wall: [], cpu: [] }
    const audits: Measured = { rows, wall: [], cpu: [] }
    for (let i = 0; i <= repeats; i++) {
      await measure(i > 0 ? one : null, async () => {
        using context = await createContext({ backend: 'cpu', threads })
        await runStages(context, set)
      })
      if (!isBeyond) continue
      await measure(i > 0 ? audits : null, () =>
        audit(set, { backend: 'cpu', threads, detectors: ['spectral-signatures', 'activation-clustering'], detectorOptions }),
      )
    }
    stages.push(one)
    if (isBeyond) whole.push(audits)
  }
  printGrowth('rows × 128 in 10 classes, from arrays to clusters, silhouettes left out', stages)
  printGrowth('whole audits by both classic detectors, silhouettes of drawn rows, digest and all', whole)
}

interface Measured {
  readonly rows: number
  readonly wall: number[]
  /** Milliseconds that all threads worked: what other work on the machine does not change. */
  readonly cpu: number[]
}

async function measure(into: Measured | null, work: () => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage()
  const began = performance.now()
  await work()
  into?.wall.push(performance.now() - began)
  const { user, system } = process.cpuUsage(before)
  into?.cpu.push((user + system) / 1000)
}

function printGrowth(title: string, measured: readonly Measured[]): void {
  console.log(`\n${title}`)
  table(measured.map(({ rows, wall }) => [`${rows} rows`, wall]))
  const slope = (times: (one: Measured) => readonly number[]) =>
    slopeOf(measured.map((one) => [Math.log(one.rows), Math.log(summarise(times(one)).median)]))
  console.log(
    `log-log slope of the medians: ${slope(({ wall }) => wall).toFixed(2)}; of the time that all threads work: ${slope(({ cpu }) => cpu).toFixed(2)}`,
  )
}

function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, pair) => sum + pair[at], 0) / points.length
  const [x, y] = [mean(0), mean(1)]
  return points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0) / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0)
}

/** An audit by all detectors of a set that is written here and read again at every pass, held against reading it and computing. */
async function huge(): Promise<void> {
  const rows = Number(flags['huge-rows'] ?? (flags.small ? 20_000 : 4_000_000))
  const size = { rows, cols: 512, classes: 10 }
  const folder = await mkdtemp(join(tmpdir(), 'assay-bench-'))
  try {
    writeHugeSet(folder, size)
    const bytes = rows * size.cols * 4
    const memory = Number(flags.memory) * 2 ** 20
    const args = [process.env.BENCH_HUGE_AUDIT as string, folder, String(threads), String(memory), flags.detectors]
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
    if (status !== 0) throw new Error('the audit failed')
    const found = JSON.parse(stdout) as HugeAudit
    const seconds = (ms: number) => `${short(ms / 1000)} s`
    const reading = Math.min(...found.readMs)
    const computing = found.operations / found.rate
    const atLeast = found.passes * reading + computing
    console.log(`\n${rows} rows × ${size.cols} in ${size.classes} classes: a file of ${short(bytes / 1e9)} GB, --memory ${flags.memory}M`)
    console.log(`${found.backend.adapter}, ${found.backend.reason}`)
    printTable([
      ['part', 's'],
      ['reading and hashing', short(found.timings.readMs / 1000)],
      ...Object.entries(found.timings.detectors).map(([id, ms]) => [id, short(ms / 1000)]),
      ['whole audit', short(found.totalMs / 1000)],
    ])
    for (const { id, status, reason } of found.detectors) console.log(`${id}: ${status === 'ran' ? '' : `${status}: `}${reason}`)
    console.log(`verdict: ${found.verdict}, classes accused: ${found.accused.join(', ') || 'none'} (poison is in ${pooledPoison.target})`)
    console.log(`peak resident memory ${short(found.peak / 1e9)} GB (at most ${mostBytes / 1e9} are wanted)`)
    console.log(
      `${found.passes} passes of ${seconds(reading)} and ${short(found.operations / 1e9)} Gop counted at ${short(found.rate / 1e6)} Gop/s: ${seconds(atLeast)}; ` +
        `the audit takes ${short(found.totalMs / atLeast)} times as long (at most ${mostTimes} are wanted)`,
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface HugeAudit {
  readonly totalMs: number
  readonly readMs: readonly number[]
  /** Operations a millisecond. */
  readonly rate: number
  readonly passes: number
  readonly operations: number
  readonly peak: number
  readonly timings: { readonly readMs: number; readonly detectors: Readonly<Record<string, number>> }
  readonly backend: { readonly adapter: string; readonly reason: string }
  readonly verdict: string
  readonly accused: readonly unknown[]
  readonly detectors: readonly { readonly id: string; readonly status: string; readonly reason: string }[]
}

function table(rows: readonly (readonly [string, readonly number[]])[]): void {
  const cells = rows
    .filter(([, times]) => times.length > 0)
    .map(([name, times]) => {
      const { min, median, spread } = summarise(times)
      return [name, short(min), short(median), `${(100 * spread).toFixed(0)} %`]
    })
  printTable([['ms', 'min', 'median', 'spread'], ...cells])
}

function ratio(what: string, values: readonly number[], unit: string): void {
  console.log(`${what} ${short(summarise(values).median)} ${unit} (${short(Math.min(...values))} … ${short(Math.max(...values))})`)
}
