import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { audit, createContext, openAudit } from '../../src/node.js'
import { disagreement, figures, reported } from '../detectors/agreement.js'
import { plantedSet } from '../detectors/planted.js'
import { describeMachine, root } from '../machine.js'
import { printTable, short, summarise, timed } from '../repeats.js'
import { openTimedGpu } from './device.js'
import { printKernelTimes, timeKernels } from './kernel-times.js'
import { checkParity } from './parity.js'
import { type Split, splitTime } from './split.js'

const { values: flags } = parseArgs({
  options: {
    'software-adapters': { type: 'boolean', default: false },
    'cpu-repeats': { type: 'string', default: '3' },
    /** Threads of the CPU path that the GPU is held against, beside all that there are. */
    'cpu-threads': { type: 'string', default: '2' },
    repeats: { type: 'string', default: '5' },
    /** Where the large set is made: it needs 11 GB. */
    scratch: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
    only: { type: 'string', default: 'parity,kernels,demo,audit,large,peer' },
    out: { type: 'string' },
  },
})
const software = flags['software-adapters']
const wanted = new Set(flags.only.split(','))
const detectors = ['spectral-signatures', 'activation-clustering']
const usual = software ? { rows: 1000, cols: 64, classes: 10 } : { rows: 50_000, cols: 512, classes: 10 }
const large = software ? { rows: 4000, cols: 64, classes: 40 } : { rows: 1_280_000, cols: 2048, classes: 1000 }
const kernelSizes = software
  ? [{ classes: 5, rowsPerClass: 100, cols: 64 }]
  : [
      { classes: 10, rowsPerClass: 5000, cols: 512 },
      { classes: 50, rowsPerClass: 1280, cols: 2048 },
    ]
const results: Record<string, unknown> = {}
const keep = async (key: string, value: unknown) => {
  results[key] = value
  if (!flags.out) return
  await mkdir(flags.out, { recursive: true })
  await writeFile(join(flags.out, 'gpu.json'), JSON.stringify(results, null, 1))
}

console.log(describeMachine())
const gpu = await openTimedGpu({ software })
const { vendor, architecture, description, isFallbackAdapter } = gpu.info
if (isFallbackAdapter && !software)
  throw new Error(`the only adapter is a software one (${description}); pass --software-adapters, with small sizes`)
const ceilings = await gpu.ceilings()
console.log(`adapter: ${vendor} ${architecture}, driver ${description}; ${driver() ?? ''}`)
console.log(
  `a copy moves ${(ceilings.bytesPerSecond / 1e9).toFixed(0)} GB/s; f32 peak ${(ceilings.operationsPerSecond / 1e12).toFixed(1)} TFLOP/s; ` +
    `bindings up to ${(gpu.limits.maxStorageBufferBindingSize / 2 ** 20).toFixed(0)} MiB`,
)
await keep('machine', { vendor, architecture, description, driver: driver(), ceilings })

if (wanted.has('parity')) {
  using onGpu = await createContext({ backend: 'webgpu' })
  using onCpu = await createContext({ backend: 'cpu' })
  console.log(`\n${await checkParity(onGpu, onCpu)} (${onGpu.backend.adapter})`)
}
if (wanted.has('kernels')) {
  console.log(
    '\nKernels on the device alone, by timestamps, least of three rounds. Bytes: inputs and output once (gram-apply reads X twice);',
  )
  console.log('limit: the lesser of what a copy moves and the f32 peak allow.')
  for (const size of kernelSizes) {
    const times = await timeKernels(gpu, size, ceilings)
    printKernelTimes(times)
    await keep(`kernels ${times[0]?.size}`, times)
  }
}
await gpu.close()
if (wanted.has('demo')) await compareVerdicts()
if (wanted.has('audit')) await benchAudit()
if (wanted.has('large')) await benchLarge()

function driver(): string | null {
  const { status, stdout } = spawnSync('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : null
}

/** Both backends have to give the same verdicts (by the classic detectors and the one that accuses) and the same flagged rows on the two small sets of the examples. */
async function compareVerdicts(): Promise<void> {
  for (const name of ['poisoned', 'clean']) {
    const run = async (backend: 'webgpu' | 'cpu') =>
      audit(await openAudit(join(root, 'examples', 'data', name)), { backend, detectors: [...detectors, 'whitened-mixture'] })
    const [onGpu, onCpu] = [await run('webgpu'), await run('cpu')]
    const said = [onGpu, onCpu].map((report) =>
      JSON.stringify([report.verdict, report.classes.map(({ verdict }) => verdict), report.rows.flagged]),
    )
    if (said[0] !== said[1]) throw new Error(`examples/data/${name}: the GPU says ${said[0]}, the CPU ${said[1]}`)
    console.log(
      `\nexamples/data/${name}: ${onGpu.verdict} on both backends, every class and the ${onGpu.rows.flagged.length} flagged rows the same`,
    )
  }
}

async function benchAudit(): Promise<void> {
  const set = plantedSet(usual)
  const folder = await mkdtemp(join(tmpdir(), 'assay-bench-'))
  try {
    await writeFile(join(folder, 'activations.npy'), writeNpyFloat32(set.activations.data, [usual.rows, usual.cols]))
    await writeFile(join(folder, 'labels.npy'), writeNpyFloat32(Float32Array.from(set.labels), [usual.rows]))
    const peer = wanted.has('peer') ? runTorch(folder) : null
    if (peer) {
      const ours = await figures(set, { backend: 'webgpu', softwareAdapters: software, seed: 0 })
      console.log(`\nresults agree with PyTorch ${peer.torch} on ${peer.gpu}: ${disagreement(peer, ours)}`)
    }
    const onGpu: number[] = []
    const splits: Split[] = []
    const run = (backend: 'webgpu' | 'cpu', threads?: number) => audit(set, { backend, detectors, threads })
    const first = await run('webgpu')
    let otherwise = 0
    for (let i = 0; i < Number(flags.repeats); i++) {
      onGpu.push(await timed(() => run('webgpu')))
      splits.push((await splitTime(() => run('webgpu'))).split)
    }
    const onCpu = new Map<number, number[]>()
    for (const threads of new Set([Number(flags['cpu-threads']), availableParallelism()])) {
      const times: number[] = []
      for (let i = 0; i < Number(flags['cpu-repeats']); i++) {
        times.push(
          await timed(async () => {
            const report = await run('cpu', threads)
            if (report.verdict !== first.verdict) throw new Error(`the CPU says ${report.verdict}, the GPU ${first.verdict}`)
            const flagged = new Set(first.rows.flagged)
            otherwise = report.rows.flagged.filter((row) => !flagged.has(row)).length
            // A cut by rank parts rows whose scores are the same but for rounding.
            if (otherwise > flagged.size / 1000)
              throw new Error(`${otherwise} of ${flagged.size} rows are flagged by the CPU and not by the GPU`)
          }),
        )
      }
      if (times.length > 0) onCpu.set(threads, times)
    }
    console.log(`\n${usual.rows.toLocaleString('en-US')} rows × ${usual.cols} in ${usual.classes} classes, arrays in memory to report`)
    const row = (title: string, times: readonly number[]) => {
      const { min, median, spread } = summarise(times)
      return [title, short(min), short(median), `${(100 * spread).toFixed(0)} %`]
    }
    const rows = [['ms', 'min', 'median', 'spread'], row('Assay on webgpu', onGpu)]
    for (const key of ['uploadMs', 'submitMs', 'computeMs', 'readBackMs'] as const)
      rows.push(
        row(
          `  ${key}`,
          splits.map((split) => split[key]),
        ),
      )
    for (const [threads, times] of onCpu) rows.push(row(`Assay on cpu, ${threads} threads`, times))
    printTable(rows)
    const hashMs = await leastHashing(set.activations.data)
    for (const [threads, times] of onCpu) {
      const { median } = summarise(times)
      console.log(
        `cpu with ${threads} threads / webgpu: ${short(median / summarise(onGpu).median)}, of ${short(median / hashMs)} at most: SHA-256 of the rows takes one thread ${short(hashMs)} ms`,
      )
    }
    if (onCpu.size > 0)
      console.log(`${first.verdict} on both; ${otherwise} of ${first.rows.flagged.length} flagged rows are others on the CPU`)
    printPeer(peer)
    await keep('audit', { onGpu, onCpu: Object.fromEntries(onCpu), splits, peer: peer && { ...peer, classes: undefined } })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Milliseconds of SHA-256 over the rows, at best: no audit of them is over before. */
async function leastHashing(rows: Float32Array): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) least = Math.min(least, await timed(async () => createHash('sha256').update(rows).digest()))
  return least
}

async function benchLarge(): Promise<void> {
  const folder = await mkdtemp(join(flags.scratch, 'assay-bench-'))
  try {
    const making = performance.now()
    const made = spawnSync('python3', [join(root, 'bench', 'peers', 'make_planted.py'), folder, ...Object.values(large).map(String)], {
      encoding: 'utf8',
    })
    if (made.status !== 0) {
      console.log(`\nlarge set: skipped: it is made with numpy: ${made.stderr.trim().split('\n').at(-1)}`)
      return
    }
    console.log(`\nmade the large set in ${short((performance.now() - making) / 1000)} s`)
    const began = performance.now()
    const stages: Record<string, number> = {}
    const { result: report, split } = await splitTime(async () =>
      audit(await openAudit(folder), {
        backend: 'webgpu',
        detectors,
        memory: Math.max(2 ** 20, large.rows * large.cols * 4),
        onProgress: ({ stage }) => {
          stages[stage] ??= performance.now() - began
        },
      }),
    )
    const totalMs = performance.now() - began
    const uploaded = stages[detectors[0] as string] as number
    const { readMs, detectors: perDetector } = report.timings
    console.log(
      `\n${large.rows.toLocaleString('en-US')} rows × ${large.cols} in ${large.classes} classes, from files to report, on ${report.backend.adapter}`,
    )
    printTable([
      ['s', ''],
      ['all', short(totalMs / 1000)],
      ['until all rows are on the device', short(uploaded / 1000)],
      ['  reading and hashing the files', short(readMs / 1000)],
      [`  handing ${(split.uploadedBytes / 1e9).toFixed(1)} GB to the device (all uploads)`, short(split.uploadMs / 1000)],
      ...Object.entries(perDetector).map(([id, ms]) => [id, short(ms / 1000)]),
      ['waiting for the device', short(split.computeMs / 1000)],
      ['building and submitting work', short(split.submitMs / 1000)],
      [`reading ${(split.readBytes / 1e6).toFixed(0)} MB back`, short(split.readBackMs / 1000)],
    ])
    await keep('large', { totalMs, uploaded, timings: report.timings, split, verdict: report.verdict })
    if (wanted.has('parity')) {
      const two = await audit(await firstClasses(folder, 2), { backend: 'cpu', detectors })
      console.log(`its first two classes agree with the CPU: ${disagreement({ classes: reported(two) }, reported(report).slice(0, 2))}`)
    }
    const peer = wanted.has('peer') ? runTorch(folder) : null
    if (!peer) return
    console.log(`results agree with PyTorch ${peer.torch} on ${peer.gpu}: ${disagreement(peer, reported(report))}`)
    printPeer(peer)
    await keep('large peer', { ...peer, classes: undefined })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The rows of the first classes of the large set, in memory: row i is of class i mod classes. */
async function firstClasses(folder: string, count: number) {
  const { rows, cols, classes } = large
  const perClass = rows / classes
  const data = new Float32Array(perClass * count * cols)
  const file = await open(join(folder, 'activations.npy'))
  const start = (await file.stat()).size - rows * cols * 4
  for (let i = 0; i < perClass; i++) {
    const part = data.subarray(i * count * cols, (i + 1) * count * cols)
    await file.read(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), 0, part.byteLength, start + i * classes * cols * 4)
  }
  await file.close()
  return { activations: { data, rows: perClass * count, cols }, labels: Int32Array.from({ length: perClass * count }, (_, i) => i % count) }
}

interface TorchRun {
  readonly torch: string
  readonly gpu: string
  readonly readMs: number
  readonly totalMs: number
  readonly stagesMs: Readonly<Record<string, number>>
  readonly classes: readonly { readonly inertia: number; readonly silhouette: number; readonly largestScore: number }[]
}

/** The peer's figures, or null, having said why. */
function runTorch(folder: string): TorchRun | null {
  const script = join(root, 'bench', 'peers', 'torch_audit.py')
  const { status, stdout, stderr } = spawnSync('python3', [script, folder], { encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (status === 0) return JSON.parse(stdout) as TorchRun
  console.log(`\npeer: skipped: ${String(stderr).trim().split('\n').slice(-3).join(' | ')}`)
  return null
}

function printPeer(peer: TorchRun | null): void {
  if (!peer) return
  console.log(
    `PyTorch on the same GPU: ${short(peer.totalMs)} ms (${Object.entries(peer.stagesMs)
      .map(([stage, ms]) => `${stage} ${short(ms)}`)
      .join(', ')}), after reading the files in ${short(peer.readMs)} ms`,
  )
}
