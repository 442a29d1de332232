import { expect, vi } from 'vitest'
import { auditWith } from '../../src/audit.js'
import type { AuditOptions } from '../../src/audit-options.js'
import { type ContextFactory, contextFactory } from '../../src/context.js'
import type { Backend } from '../../src/core/backend.js'
import type { Report } from '../../src/report/schema.js'
import { type Disturbance, disturbedGpu, type Seen } from './disturbed-gpu.js'
import { planted } from './planted.js'

/** Poison that activation clustering finds, in a set so small that an audit of it takes a fifth of a second on a software adapter. */
export const smallSet = planted({ seed: 31, rows: [24, 30], features: 4, poison: { target: 1, rate: 0.2, shift: 14 } })

/** Few starts on two components; the two detectors that run every kernel between them, one of which accuses the class. */
export const smallSearch = {
  detectors: ['spectral-signatures', 'activation-clustering'],
  detectorOptions: { 'activation-clustering': { restarts: 2, components: 2 } },
} as const

/** `auto`, which takes a software adapter too. */
export const auto = { ...smallSearch, backend: 'auto', softwareAdapters: true } as const

export const byName = { ...smallSearch, backend: 'webgpu' } as const

export interface DisturbedRun {
  /** What the audit gave, or `null` where it threw. */
  readonly report: Report | null
  readonly error: unknown
  /** Whether the signal had aborted when the audit ended. */
  readonly aborted: boolean
  readonly seen: Seen
  /** The backends that the audit opened, in turn. */
  readonly backends: readonly string[]
}

/** Audits on a device that is disturbed, and checks that nothing is left on any backend, whatever came of it. */
export async function auditDisturbed(disturb: Disturbance, options: AuditOptions, set = smallSet): Promise<DisturbedRun> {
  const { open, seen } = disturbedGpu(disturb)
  const backends: Backend[] = []
  const create = contextFactory(open)
  const recorded: ContextFactory = async (...args) => {
    const context = await create(...args)
    backends.push(context.backend)
    return context
  }
  const run = { report: null as Report | null, error: undefined as unknown, aborted: false, seen }
  try {
    run.report = await auditWith(recorded).audit(set, options)
  } catch (error) {
    run.error = error
  }
  run.aborted = options.signal?.aborted ?? false
  await vi.waitFor(() => {
    expect(
      backends.map(({ liveBytes }) => liveBytes),
      'bytes still held after the audit',
    ).toEqual(backends.map(() => 0))
    expect(seen.live.size, 'buffers that were not destroyed').toBe(0)
    expect(seen.uncaptured, 'errors outside every scope').toEqual([])
  })
  return { ...run, backends: backends.map(({ name }) => name) }
}

/** What must not depend on the backend, nor on what happened to it. */
export function essence(report: Report | null) {
  if (!report) return null
  const { verdict, classes, rows } = report
  return {
    verdict,
    classes: classes.map(({ label, verdict }) => ({ label, verdict })),
    flagged: [...rows.flagged].sort((a, b) => a - b),
  }
}
