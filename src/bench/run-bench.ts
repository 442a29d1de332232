import { isDeepStrictEqual } from 'node:util'
import { type ContextOptions, parseAuditOptions } from '../audit-options.js'
import type { ContextFactory } from '../context.js'
import type { BackendChoice, Context, Progress } from '../core/backend.js'
import { DeviceSet } from '../core/device-set.js'
import { dispose } from '../core/dispose.js'
import { BackendError } from '../core/errors.js'
import type { DetectorResult } from '../core/result.js'
import { showText } from '../core/untrusted-text.js'
import type { DetectorOptions, Selected } from '../detectors/select.js'
import { version } from '../version.js'
import { type AuditScore, type BenchReport, type DetectorReport, meansOf, type ScenarioReport } from './bench-report.js'
import { findScenarios, openScenario, readReferences, type Scenario } from './node-scenario-folder.js'
import { planAudit, planBench } from './plan.js'
import type { ScenarioReferences } from './references.js'
import { concludeAudit, runDetectors } from './run-audit.js'
import { scoreAudit } from './score-audit.js'
import { scoreScenario } from './score-scenario.js'
import { summariseAudits } from './summarise-audits.js'

export interface BenchOptions extends ContextOptions {
  readonly detectors?: readonly string[] | undefined
  readonly settings?: DetectorOptions | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * Audits every audit folder with a truth under `folder`, with its trusted rows and without, and holds what each detector and the audit say
 * against the truth. The detectors are run here rather than by `audit`, since a report does not hold the rows at a detector's own cut; seed,
 * streams and conclusions are those of an audit. Throws what reading the folders, the options and a backend asked for by name throw; a detector
 * that fails is reported as failed.
 */
export async function runBench(createContext: ContextFactory, folder: string, options: BenchOptions = {}): Promise<BenchReport> {
  const { detectors: wanted, settings = {}, onProgress, signal } = options
  const plan = (epsilon: number | null) => planBench(wanted, settings, epsilon)
  plan(null) // bad options show before anything is read
  const auditPlan = planAudit(wanted, settings)
  const { falseAccusationRate } = parseAuditOptions({})
  const folders = await findScenarios(folder)
  const references = await readReferences(folder)
  const contextOptions = { backend: options.backend, softwareAdapters: options.softwareAdapters, seed: options.seed, signal }
  const scenarios: ScenarioReport[] = []
  const timings: BenchReport['timings'][number][] = []
  let context = await createContext(contextOptions)
  let choice: BackendChoice = context.choice
  try {
    for (const [index, found] of folders.entries()) {
      signal?.throwIfAborted()
      onProgress?.({ stage: `${index + 1}/${folders.length} ${found.name}`, done: index, total: folders.length })
      const scenario = await openScenario(found)
      const run = () =>
        benchScenario(context, scenario, { plan, auditPlan, falseAccusationRate, references: references.get(found.name) ?? null })
      let ran: Awaited<ReturnType<typeof run>>
      try {
        ran = await run()
      } catch (error) {
        const fromAuto = (options.backend ?? 'auto') === 'auto' && context.choice.name === 'webgpu'
        if (!(error instanceof BackendError) || !fromAuto) throw error
        context[dispose]()
        context = await createContext({ ...contextOptions, backend: 'cpu' })
        const reason = `the GPU failed at ${showText(found.name)}, so the bench went on from there on the CPU: ${showText(error.message, 300)}`
        choice = { ...context.choice, reason }
        ran = await run()
      }
      scenarios.push(ran.report)
      timings.push({ scenario: found.name, ...ran.elapsedMs })
    }
  } finally {
    context[dispose]()
  }
  onProgress?.({ stage: 'done', done: folders.length, total: folders.length })
  const { name, adapter, reason } = choice
  return {
    schemaVersion: 1,
    tool: { name: 'assay', version },
    seed: context.seed,
    backend: { name, adapter, reason },
    scenarios,
    means: meansOf(scenarios),
    falseAccusationRate,
    summaries: summariseAudits(scenarios),
    timings,
  }
}

interface ScenarioRun {
  /** What the detectors are told where they are measured one by one, for a share of poison. */
  readonly plan: (epsilon: number | null) => readonly Selected[]
  readonly auditPlan: readonly Selected[]
  readonly falseAccusationRate: number
  readonly references: ScenarioReferences | null
}

async function benchScenario(context: Context, scenario: Scenario, run: ScenarioRun) {
  const { name, set, truth } = scenario
  const first = await benchSet(context, scenario, run)
  const audits = [first.audit]
  if (set.trusted) {
    using resident = await DeviceSet.upload(context, { ...set, trusted: null })
    audits.push(await auditScenario(context, resident, { scenario, run }))
  }
  const { target } = truth
  const report: ScenarioReport = {
    name,
    attack: truth.attack,
    rows: set.activations.rows,
    classes: set.classes.length,
    target: target && {
      label: target.label,
      rows: target.rows,
      poisonedRows: target.poisonedRows,
      epsilon: target.epsilon,
      source: target.source,
    },
    detectors: first.detectors,
    audits: audits.map(({ score }) => score),
  }
  const auditMs = audits.map(({ ran }) => ran.elapsedMs.reduce((sum, ms) => sum + ms, 0))
  return { report, elapsedMs: { detectors: first.elapsedMs, audits: auditMs } }
}

/**
 * Audits the set as it is, and scores each detector: by what it gave there, or by a run of its own where the bench tells it something else.
 * ε is what the reference was told, so that both do the same, or else the true share of poison among the rows bearing the label.
 */
async function benchSet(context: Context, scenario: Scenario, run: ScenarioRun) {
  const { set, truth } = scenario
  const epsilon = truth.target && (run.references?.epsilon ?? truth.target.epsilon)
  using resident = await DeviceSet.upload(context, set)
  const audit = await auditScenario(context, resident, { scenario, run })
  const detectors: DetectorReport[] = []
  const elapsedMs: Record<string, number> = {}
  for (const selected of run.plan(epsilon)) {
    const { detector, options } = selected
    const { id } = detector
    const at = run.auditPlan.findIndex((other) => other.detector.id === id && isDeepStrictEqual(other.options, options))
    const ran =
      at >= 0
        ? { results: [audit.ran.results[at]], elapsedMs: [audit.ran.elapsedMs[at]] }
        : await runDetectors(context, resident, [selected])
    const scored = scoreScenario(set, truth, ran.results[0] as DetectorResult)
    elapsedMs[id] = ran.elapsedMs[0] as number
    detectors.push(
      scored.status === 'ran'
        ? { id, ...scored, options, reference: run.references?.detectors.get(id) ?? null }
        : { id, ...scored, options },
    )
  }
  return { audit, detectors, elapsedMs }
}

interface Auditing {
  readonly scenario: Scenario
  readonly run: ScenarioRun
}

async function auditScenario(context: Context, resident: DeviceSet, { scenario, run }: Auditing) {
  const { auditPlan, falseAccusationRate } = run
  const ran = await runDetectors(context, resident, auditPlan)
  const concluded = concludeAudit(context, resident.set, { results: ran.results, falseAccusationRate })
  const score: AuditScore = scoreAudit(resident.set, scenario.truth, concluded)
  return { ran, score }
}
