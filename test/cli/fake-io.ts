import type { AuditOptions } from '../../src/audit-options.js'
import type { Io } from '../../src/cli/io.js'
import { main } from '../../src/cli/program.js'
import type { Report } from '../../src/report/schema.js'
import { handMadeReport, handMadeSet, ranFinding, ranResult } from '../report/hand-made.js'

/** A report with the given verdict. */
export function reportOf(verdict: Report['verdict']): Report {
  const report = handMadeReport(handMadeSet([0, 0, 1]), [ranResult('spectral-signatures', [0, 1, 0], [ranFinding([1]), ranFinding()])])
  return { ...report, verdict }
}

export interface FakeRun {
  readonly verdict?: Report['verdict']
  /** What the audit throws instead of giving a report. */
  readonly error?: unknown
  readonly openError?: unknown
  readonly env?: Record<string, string>
  readonly tty?: boolean
  readonly aborted?: boolean
  readonly columns?: number
  /** What takes the place of the library that computes nothing. */
  readonly library?: Partial<Io['library']>
}

/** Runs a command with a library that computes nothing, or with another one, and gives everything it said and was asked. */
export async function runFake(argv: readonly string[], run: FakeRun = {}) {
  let stdout = ''
  let stderr = ''
  const opened: unknown[][] = []
  const audits: AuditOptions[] = []
  const controller = new AbortController()
  if (run.aborted) controller.abort()
  const output = (append: (text: string) => void) => ({
    isTTY: run.tty ?? false,
    columns: run.columns,
    write: async (text: string) => append(text),
  })
  const io: Io = {
    stdout: output((text) => {
      stdout += text
    }),
    stderr: output((text) => {
      stderr += text
    }),
    env: run.env ?? {},
    signal: controller.signal,
    finishOnSignal: () => {},
    library: {
      openAudit: (async (...args: unknown[]) => {
        opened.push(args)
        if (run.openError) throw run.openError
        return {}
      }) as unknown as Io['library']['openAudit'],
      auditWithScores: (async (_set: unknown, options: AuditOptions) => {
        audits.push(options)
        options.onProgress?.({ stage: 'spectral-signatures\u001b[2J', done: 1, total: 4 })
        if (run.error) throw run.error
        return {
          report: reportOf(run.verdict ?? 'clean'),
          scores: Float32Array.of(0, 1, 0.5),
          detectorScores: new Map([['spectral-signatures', Float32Array.of(3, 4, 5)]]),
        }
      }) as unknown as Io['library']['auditWithScores'],
      toHtml: async ({ verdict }) => `<!doctype html>${verdict}`,
      describeBackends: async () => ({
        webgpu: {
          available: true,
          reason: null,
          adapters: [
            {
              vendor: 'acme\u001b[2J',
              architecture: 'anvil',
              device: '',
              description: 'Acme Anvil 3000',
              software: false,
              limits: { maxBufferSize: 2 ** 31, maxStorageBufferBindingSize: 2 ** 27, maxComputeWorkgroupStorageSize: 2 ** 14 },
              features: ['subgroups'],
            },
          ],
        },
        auto: { name: 'webgpu' as const, adapter: 'acme anvil', reason: 'a GPU is there' },
      }),
      ...run.library,
    },
  }
  const code = await main(argv, io)
  return { code, stdout, stderr, opened, options: audits[0] }
}
