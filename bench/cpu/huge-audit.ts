import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { auditWith } from '../../src/audit.js'
import { dispose } from '../../src/core/dispose.js'
import { hashTools } from '../../src/io/node-hash-thread.js'
import { gramKernel } from '../../src/kernels/gram.js'
import { createContext, openAudit } from '../../src/node.js'
import { kernelCases } from '../kernels/cases.js'
import { counting, gramOperations } from './counted.js'

// One audit of files in a fresh process, beside what it is held against: reading the file once, and the Gram rate. Prints JSON.
const [folder = '', threads = '', memory = '', detectors = ''] = process.argv.slice(2)

/** Milliseconds of reading the activations once, front to back. */
function readOnce(): number {
  const began = performance.now()
  const file = openSync(join(folder, 'activations.npy'), 'r')
  const block = new Uint8Array(2 ** 23)
  while (readSync(file, block) > 0);
  closeSync(file)
  return performance.now() - began
}

/** Operations a millisecond of the Gram kernel, best of five. */
async function gramRate(): Promise<number> {
  const [rows, cols] = [20_000, 512]
  const one = kernelCases({ classes: 1, rowsPerClass: rows, cols }).find(({ kernel }) => kernel.id === gramKernel.id)
  if (!one) throw new Error('there is no case of the Gram kernel')
  using context = await createContext({ backend: 'cpu', threads: Number(threads) })
  const inputs = one.inputs.map((input) => context.backend.upload(input))
  let best = Number.POSITIVE_INFINITY
  for (let repeat = 0; repeat < 7; repeat++) {
    const began = performance.now()
    using output = context.backend.run(one.kernel, inputs, one.params)
    await context.backend.read(output)
    if (repeat >= 2) best = Math.min(best, performance.now() - began)
  }
  for (const input of inputs) input[dispose]()
  return gramOperations(rows, cols) / best
}

/** Peak resident memory in bytes: of this process, from now on where the system can forget the peak so far. */
const peakBytes = () => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])

const readMs = [readOnce(), readOnce()]
const rate = await gramRate()
const before = peakBytes()
const opened = await openAudit(folder)
let passes = 0
const set = {
  ...opened,
  activations: {
    ...opened.activations,
    async *blocks(rowsPerBlock: number) {
      yield* opened.activations.blocks(rowsPerBlock)
      passes++ // one that is broken off is none
    },
  },
}
let operations = () => 0
const { audit } = auditWith(async (...args) => {
  const context = await createContext(...args)
  const counted = counting(context.backend)
  operations = counted.operations
  return { ...context, backend: counted.backend, [dispose]: () => context[dispose]() }
}, hashTools())
const began = performance.now()
let stage = ''
const report = await audit(set, {
  backend: 'cpu',
  threads: Number(threads),
  memory: Number(memory),
  ...(detectors ? { detectors: detectors.split(',') } : {}),
  onProgress: (progress) => {
    if (progress.stage === stage) return
    stage = progress.stage
    const seconds = ((performance.now() - began) / 1000).toFixed(0)
    console.error(`${seconds} s, ${passes} passes, peak ${(peakBytes() / 2 ** 20).toFixed(0)} MiB: ${stage}`)
  },
})
console.log(
  JSON.stringify({
    totalMs: performance.now() - began,
    readMs,
    rate,
    passes,
    operations: operations(),
    before,
    peak: peakBytes(),
    timings: report.timings,
    backend: report.backend,
    verdict: report.verdict,
    accused: report.classes.filter(({ verdict }) => verdict === 'poisoned' || verdict === 'suspicious').map(({ label }) => label),
    detectors: report.detectors,
    says: report.classes[3]?.evidence.map(({ detector, says }) => `${detector}: ${says}`),
  }),
)
