import { execFileSync } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'
import { adapterName, isNullAdapter, isSoftware } from '../src/backends/create.js'
import { openNodeGpu } from '../src/backends/node-webgpu.js'

declare const BENCH_ROOT: string

/** The repository's folder. */
export const root = BENCH_ROOT

/** What the figures were measured on: no host name, no path. */
export function describeMachine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${availableParallelism()} threads; Node ${process.version}; commit ${commit()}`
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', 'src', 'shaders') === '' ? '' : ' with changes')
  } catch {
    return 'unknown'
  }
}

export type Gpu = { readonly adapter: string; readonly software: boolean } | { readonly adapter: null; readonly reason: string }

/** The adapter that the WebGPU backend would take. */
export async function findGpu(): Promise<Gpu> {
  const access = await openNodeGpu()
  if (!access.gpu) return { adapter: null, reason: access.reason }
  const adapter = await access.gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter || isNullAdapter(adapter)) return { adapter: null, reason: 'WebGPU finds no adapter on this machine' }
  return { adapter: adapterName(adapter), software: isSoftware(adapter) }
}

/** The backends to measure, and a line for each that is left out. A software adapter only where it was asked for. */
export async function chooseBackends(flags: { backend?: string | undefined; 'software-adapters'?: boolean | undefined }) {
  const chosen: { name: 'cpu' | 'webgpu'; software: boolean }[] = []
  if (flags.backend !== 'webgpu') chosen.push({ name: 'cpu', software: false })
  if (flags.backend === 'cpu') return chosen
  const gpu = await findGpu()
  if (gpu.adapter === null) console.log(`webgpu: skipped: ${gpu.reason}`)
  else if (gpu.software && !flags['software-adapters']) {
    console.log(`webgpu: skipped: the only adapter is a software one (${gpu.adapter}); pass --software-adapters to time it`)
  } else chosen.push({ name: 'webgpu', software: gpu.software })
  return chosen
}
