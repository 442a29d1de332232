import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { audit, openAudit } from '../../src/node.js'
import { chooseBackends, describeMachine } from '../machine.js'
import { printTable, short, summarise } from '../repeats.js'
import { disagreement, figures } from './agreement.js'
import { findPython, type PeerRun, runPeer } from './peer.js'
import { type PlantedSize, plantedSet } from './planted.js'

const small: PlantedSize = { rows: 2000, cols: 128, classes: 10 }
const usual: PlantedSize = { rows: 20_000, cols: 128, classes: 10 }
const large: PlantedSize = { rows: 50_000, cols: 512, classes: 10 }

const { values: flags } = parseArgs({
  options: {
    backend: { type: 'string' },
    'software-adapters': { type: 'boolean' },
    small: { type: 'boolean' },
    large: { type: 'boolean' },
    all: { type: 'boolean' },
    'peer-threads': { type: 'string', default: '1' },
    repeats: { type: 'string', default: '5' },
  },
})
const repeats = Number(flags.repeats)
if (!Number.isSafeInteger(repeats) || repeats < 1) throw new RangeError(`--repeats: got ${flags.repeats}, expected a whole number above 0`)

const peerThreads = Number(flags['peer-threads'])
if (!Number.isSafeInteger(peerThreads) || peerThreads < 1) {
  throw new RangeError(`--peer-threads: got ${flags['peer-threads']}, expected a whole number above 0`)
}

console.log(describeMachine())
console.log(
  `Whole audits (by ${flags.all ? 'every detector' : 'the two classic detectors'}, their defaults) of arrays in memory, ${repeats} repeats after a warm-up; spread = (largest − least) / median.`,
)
const python = flags.all ? null : findPython()
if (!python && !flags.all)
  console.log('peer: skipped: there is no Python with numpy and scikit-learn (Debian: python3-numpy python3-sklearn; or set PYTHON)')
const backends = await chooseBackends(flags)
const folder = await mkdtemp(join(tmpdir(), 'assay-bench-'))
try {
  for (const backend of backends) {
    const sizes = backend.software || flags.small ? [small] : flags.large || backend.name === 'webgpu' ? [usual, large] : [usual]
    if (backend.name === 'cpu' && sizes.length === 1 && sizes[0] === usual) console.log('cpu: 50,000 × 512 left out; --large has it')
    for (const size of sizes) await benchSize(size, backend)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}

async function benchSize(size: PlantedSize, { name, software }: { name: 'cpu' | 'webgpu'; software: boolean }): Promise<void> {
  const set = plantedSet(size)
  // Those that the peer has, unless all are asked for.
  const detectors = flags.all ? {} : { detectors: ['spectral-signatures', 'activation-clustering'] }
  const options = { backend: name, softwareAdapters: software, seed: 0, ...detectors }
  const warmUp = await audit(set, options)
  console.log(
    `\n${size.rows.toLocaleString('en-US')} rows × ${size.cols} in ${size.classes} classes on ${name} (${warmUp.backend.adapter}${software ? ', a software adapter: small size' : ''})`,
  )
  await writeFile(join(folder, 'activations.npy'), writeNpyFloat32(set.activations.data, [size.rows, size.cols]))
  await writeFile(join(folder, 'labels.npy'), writeNpyFloat32(Float32Array.from(set.labels), [size.rows]))
  const eighth = Math.max(2 ** 20, set.activations.data.byteLength / 8)
  const fromFile = async () => audit(await openAudit(folder), { ...options, memory: eighth })
  const { verdict, rows: rowsAgain } = await fromFile()
  if (verdict !== warmUp.verdict || rowsAgain.flagged.length !== warmUp.rows.flagged.length)
    throw new Error('read again, the rows give another verdict')
  if (python) {
    const peer = runPeer(python, folder, peerThreads)
    const worst = disagreement(peer, await figures(set, options))
    console.log(`results agree with numpy ${peer.numpy}, scikit-learn ${peer.sklearn}: ${worst}`)
  }
  const ours: number[] = []
  const processor: number[] = []
  const again: number[] = []
  const ourStages: Record<string, number>[] = []
  const peers: PeerRun[] = []
  for (let i = 0; i < repeats; i++) {
    const began = performance.now()
    const used = process.cpuUsage()
    const { timings } = await audit(set, options)
    ours.push(performance.now() - began)
    const { user, system } = process.cpuUsage(used)
    processor.push((user + system) / 1000)
    ourStages.push(timings.detectors)
    const beganAgain = performance.now()
    await fromFile()
    again.push(performance.now() - beganAgain)
    // In turns, so that a machine that others use too slows both.
    if (python) peers.push(runPeer(python, folder, peerThreads))
  }
  const row = (title: string, times: readonly number[], ratio: readonly number[] | null) => {
    const { min, median, spread } = summarise(times)
    const by = ratio && summarise(ratio)
    const ratioText = by ? `${short(by.median)} (${short(Math.min(...ratio))} … ${short(Math.max(...ratio))})` : ''
    return [title, short(min), short(median), `${(100 * spread).toFixed(0)} %`, ratioText]
  }
  const rows = [
    ['ms', 'min', 'median', 'spread', 'Assay / peer'],
    row('Assay', ours, null),
    row('  processor time of all threads', processor, null),
  ]
  const stages = (of: readonly Readonly<Record<string, number>>[]) => {
    for (const stage of Object.keys(of[0] ?? {})) {
      const times = of.map((run) => run[stage] as number)
      rows.push(row(`  ${stage}`, times, null))
    }
  }
  stages(ourStages)
  if (peers.length > 0) {
    const totals = peers.map(({ totalMs }) => totalMs)
    const ratios = ours.map((ms, i) => ms / (totals[i] as number))
    rows.push(row(`numpy, ${peerThreads === 1 ? '1 thread' : `${peerThreads} threads`}`, totals, ratios))
    stages(peers.map(({ stagesMs }) => stagesMs))
  }
  printTable(rows)
  if (eighth >= set.activations.data.byteLength) return
  const ratio = summarise(again.map((ms, i) => ms / (ours[i] as number)))
  const allowed = `${(eighth / 2 ** 20).toFixed(1)} of ${(set.activations.data.byteLength / 2 ** 20).toFixed(1)} MiB`
  console.log(
    `from files, with memory for ${allowed}, so that every pass reads them again: ${short(ratio.median)} times as long (least ${short(ratio.min)})`,
  )
}
