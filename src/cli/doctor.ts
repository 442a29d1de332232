import { availableParallelism, cpus } from 'node:os'
import type { Command } from 'commander'
import type { BackendDescription } from '../backends/describe.js'
import { nodeMemory } from '../backends/node-memory.js'
import { hasRelaxedSimd, hasSimd } from '../backends/wasm-features.js'
import { defaultMemory } from '../context.js'
import { showText } from '../core/untrusted-text.js'
import { toJsonText } from '../report/json.js'
import { wrapText } from '../report/text-layout.js'
import { type ExitCode, exitCode } from './exit-codes.js'
import type { Io } from './io.js'
import { checkOutputFile, writeOutputFiles } from './output-files.js'
import { text } from './values.js'

/** What `assay doctor --json` writes. */
export interface MachineDescription extends BackendDescription {
  readonly schemaVersion: 1
  readonly node: { readonly version: string; readonly platform: string; readonly arch: string }
  readonly cpu: { readonly model: string; readonly threads: number }
  /** Bytes that this process may use, and that the activations of an audit may take unless --memory says otherwise. */
  readonly memory: { readonly bytes: number; readonly forActivations: number }
  readonly wasm: { readonly simd: boolean; readonly relaxedSimd: boolean }
}

interface Flags {
  readonly json?: string
  readonly quiet?: true
}

/** Adds `assay doctor` to the program. `finish` gets the exit code. */
export function addDoctorCommand(program: Command, io: Io, finish: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .summary('tell what this machine offers for computing')
    .description('Tells what this machine offers: adapters, limits, threads, memory, SIMD, and what --backend auto would take, and why.')
    .option('--json <FILE>', 'write it as JSON; - writes it to stdout, and nothing else there', text)
    .option('--quiet', 'print nothing but errors, and what --json - asks for')
    .addHelpText('after', '\nExample:\n  $ assay doctor --json machine.json')
    .action(async (flags: Flags) => finish(await runDoctor(flags, io)))
}

async function runDoctor({ json, quiet }: Flags, io: Io): Promise<ExitCode> {
  if (json !== undefined && json !== '-') await checkOutputFile(json, '--json')
  const machine = describeMachine(await io.library.describeBackends())
  const rendered = toJsonText(machine)
  if (json === '-') await io.stdout.write(rendered)
  else {
    if (json !== undefined) await writeOutputFiles([{ path: json, bytes: rendered }])
    if (!quiet) await io.stdout.write(renderMachine(machine, io.stdout.columns ?? 80))
  }
  return exitCode.nothingFound
}

function describeMachine({ webgpu, auto }: BackendDescription): MachineDescription {
  return {
    schemaVersion: 1,
    node: { version: process.version, platform: process.platform, arch: process.arch },
    cpu: { model: cpus()[0]?.model.trim() ?? 'unknown', threads: availableParallelism() },
    memory: { bytes: nodeMemory(), forActivations: defaultMemory(nodeMemory()) },
    wasm: { simd: hasSimd(), relaxedSimd: hasRelaxedSimd() },
    webgpu,
    auto,
  }
}

const shownLimits = ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxComputeWorkgroupStorageSize'] as const

function renderMachine({ node, cpu, memory, wasm, webgpu, auto }: MachineDescription, columns: number): string {
  const width = Math.max(40, Math.min(columns, 110))
  const lines: string[] = []
  const field = (name: string, value: string) =>
    lines.push(...wrapText(value, width - 12).map((line, at) => `${(at === 0 ? name : '').padEnd(12)}${line}`))
  field('Node', `${node.version} on ${node.platform} ${node.arch}`)
  field('CPU', `${showText(cpu.model)}, ${cpu.threads} ${cpu.threads === 1 ? 'thread' : 'threads'}`)
  field('Memory', `${bytes(memory.bytes)}, of which activations may take ${bytes(memory.forActivations)} (--memory)`)
  field('WASM', `SIMD ${wasm.simd ? 'yes' : 'no'}, relaxed SIMD ${wasm.relaxedSimd ? 'yes' : 'no'}`)
  const found = webgpu.adapters.length
  const says = [
    webgpu.available ? 'available' : 'not available',
    ...(webgpu.reason === null ? [] : [showText(webgpu.reason, 300)]),
    ...(found > 0 ? [found === 1 ? '1 adapter' : `${found} adapters`] : []),
  ]
  field('WebGPU', says.join('; '))
  for (const adapter of webgpu.adapters) {
    const names = [adapter.description, adapter.vendor, adapter.architecture, adapter.device].filter((name) => name !== '')
    field('', `- ${names.map((name) => showText(name)).join(', ')} (${adapter.software ? 'software' : 'hardware'})`)
    const limits = shownLimits.flatMap((name) => (adapter.limits[name] === undefined ? [] : [`${name} ${bytes(adapter.limits[name])}`]))
    if (limits.length > 0) field('', `  ${limits.join(', ')}`)
    if (adapter.features.length > 0) field('', `  features: ${adapter.features.map((name) => showText(name, 40)).join(', ')}`)
  }
  lines.push('')
  field('auto takes', `${auto.name} (${showText(auto.adapter)}): ${showText(auto.reason, 300)}`)
  return `${lines.join('\n')}\n`
}

function bytes(count: number): string {
  if (count >= 2 ** 30) return `${Math.round(count / 2 ** 28) / 4} GiB`
  if (count >= 2 ** 20) return `${Math.round(count / 2 ** 20)} MiB`
  return `${Math.round(count / 2 ** 10)} KiB`
}
