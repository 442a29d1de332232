import { parseArgs } from 'node:util'
import type { Backend, DeviceMatrix, HostMatrix, Kernel } from '../../src/core/backend.js'
import { dispose } from '../../src/core/dispose.js'
import { createContext } from '../../src/node.js'
import { chooseBackends, describeMachine } from '../machine.js'
import { printTable, short, summarise } from '../repeats.js'
import { type KernelCase, kernelCases, type Size } from './cases.js'
import { cpuCopyBandwidth, gpuCopyBandwidth } from './ceilings.js'

const largeSizes: readonly Size[] = [
  { classes: 10, rowsPerClass: 2000, cols: 128 },
  { classes: 10, rowsPerClass: 2000, cols: 512 },
  { classes: 1000, rowsPerClass: 100, cols: 128 },
]
const smallSizes: readonly Size[] = [
  { classes: 10, rowsPerClass: 200, cols: 128 },
  { classes: 100, rowsPerClass: 40, cols: 64 },
]
const warmUps = 2

const { values: flags } = parseArgs({
  options: {
    backend: { type: 'string' },
    'software-adapters': { type: 'boolean' },
    small: { type: 'boolean' },
    repeats: { type: 'string', default: '7' },
  },
})
const repeats = Number(flags.repeats)
if (!Number.isSafeInteger(repeats) || repeats < 1) throw new RangeError(`--repeats: got ${flags.repeats}, expected a whole number above 0`)

console.log(describeMachine())
console.log(
  `Times in ms over ${repeats} repeats after ${warmUps} warm-ups; spread = (largest − least) / median. Each result was first held`,
)
console.log(
  'against the TypeScript twin. bytes: inputs and output once each; share: bytes over the least time, of what a plain copy moves.',
)
for (const { name, software } of await chooseBackends(flags)) {
  using context = await createContext({ backend: name, softwareAdapters: software })
  const ceiling = await (name === 'cpu' ? cpuCopyBandwidth() : gpuCopyBandwidth({ software }))
  const fence = await fenceOf(context.backend)
  const latency = summarise(await repeated(async () => fence().then(() => [])))
  console.log(`\n${name} (${context.backend.adapter})${software ? ', a software adapter: small sizes' : ''}`)
  console.log(
    `copy ${short(ceiling / 1e9)} GB/s; waiting for an empty kernel ${short(latency.median)} ms, which upload and compute include`,
  )
  for (const size of software || flags.small ? smallSizes : largeSizes) {
    const n = (size.classes * size.rowsPerClass).toLocaleString('en-US')
    const rows = [['kernel', 'compute min', 'median', 'spread', 'upload', 'read-back', 'MB', 'Mop', 'Gop/s', 'GB/s', 'share']]
    for (const kernelCase of kernelCases(size)) rows.push(await measure(context.backend, kernelCase, { fence, ceiling }))
    console.log(`\n${n} rows × ${size.cols} in ${size.classes} classes`)
    printTable(rows)
  }
}

async function measure(
  backend: Backend,
  { kernel, inputs, params, operations }: KernelCase,
  { fence, ceiling }: { fence: () => Promise<void>; ceiling: number },
): Promise<string[]> {
  const expected = twin(kernel, inputs, params)
  const held = inputs.map((input) => backend.upload(input))
  try {
    using first = backend.run(kernel, held, params)
    check(kernel, await backend.read(first), expected)
    const upload = await repeated(async () => {
      const again = inputs.map((input) => backend.upload(input))
      await fence()
      return again
    })
    const compute = await repeated(async () => {
      const result = backend.run(kernel, held, params)
      await fence()
      return [result]
    })
    const readBack = await repeated(async () => {
      await backend.read(first)
      return []
    })
    const byteLength = held.reduce((sum, matrix) => sum + matrix.byteLength, first.byteLength)
    const { min, median, spread } = summarise(compute)
    const perSecond = byteLength / (min / 1000)
    return [
      ...[kernel.id, short(min), short(median), `${(100 * spread).toFixed(0)} %`],
      ...[short(summarise(upload).median), short(summarise(readBack).median), short(byteLength / 1e6), short(operations / 1e6)],
      ...[short(operations / (min * 1e6)), short(perSecond / 1e9), `${(100 * (perSecond / ceiling)).toFixed(1)} %`],
    ]
  } finally {
    for (const matrix of held) matrix[dispose]()
  }
}

/** Times `work`; what it made is let go of outside the clock. */
async function repeated(work: () => Promise<readonly Disposable[]>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < warmUps + repeats; i++) {
    const began = performance.now()
    const made = await work()
    const ms = performance.now() - began
    for (const value of made) value[dispose]()
    if (i >= warmUps) times.push(ms)
  }
  return times
}

/** Waits for all that was enqueued before: backends work in order, so a kernel of next to no work comes last. */
async function fenceOf(backend: Backend): Promise<() => Promise<void>> {
  const [tiny] = kernelCases({ classes: 1, rowsPerClass: 1, cols: 4 }) as [KernelCase]
  const inputs: DeviceMatrix[] = tiny.inputs.map((input) => backend.upload(input))
  return async () => {
    using result = backend.run(tiny.kernel, inputs, tiny.params)
    await backend.read(result)
  }
}

function twin(kernel: Kernel<unknown>, inputs: readonly HostMatrix[], params: unknown): Float32Array {
  const { output } = kernel.plan(inputs, params)
  const data = new Float32Array(output.rows * output.cols)
  const steps = kernel.cpu(inputs, params, data)
  while (!steps.next().done);
  return data
}

function check({ id, tolerance }: Kernel<unknown>, actual: Float32Array, expected: Float32Array): void {
  const scale = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
  const wrong = expected.findIndex(
    (value, i) => !(Math.abs((actual[i] as number) - value) <= tolerance.atol * scale + tolerance.rtol * Math.abs(value)),
  )
  if (wrong >= 0) throw new Error(`${id}: value ${wrong} is ${actual[wrong]}, expected ${expected[wrong]}; there is no point in timing it`)
}
