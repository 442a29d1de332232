import type { ContextOptions } from '../audit-options.js'
import type { ContextFactory } from '../context.js'
import type { BackendChoice, Context, Progress } from '../core/backend.js'
import { DeviceSet } from '../core/device-set.js'
import { dispose } from '../core/dispose.js'
import { BackendError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { detectOrFail } from '../detectors/detector.js'
import type { DetectorOptions, Selected } from '../detectors/select.js'
import { version } from '../version.js'
import { type BenchReport, type DetectorReport, meansOf, type ScenarioReport } from './bench-report.js'
import { findScenarios, openScenario, readReferences, type Scenario } from './node-scenario-folder.js'
import { planBench } from './plan.js'
import type { ScenarioReferences } from './references.js'
import { scoreScenario } from './score-scenario.js'

export interface BenchOptions extends ContextOptions {
  readonly detectors?: readonly string[] | undefined
  readonly settings?: DetectorOptions | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * Runs detectors over every audit folder with a truth under `folder` and holds what they say against the truth. They are run apart from
 * `audit`, since a report does not hold the rows at a detector's own cut; seed and streams are those of an audit. Throws what reading the
 * folders, the options and a backend asked for by name throw; a detector that fails is reported as failed.
 */
export async function runBench(createContext: ContextFactory, folder: string, options: BenchOptions = {}): Promise<BenchReport> {
  const { detectors: wanted, settings = {}, onProgress, signal } = options
  const plan = (epsilon: number | null) => planBench(wanted, settings, epsilon)
  plan(null) // bad options show before anything is read
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
      const run = () => benchScenario(context, scenario, { plan, references: references.get(found.name) ?? null })
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
      timings.push({ scenario: found.name, detectors: ran.elapsedMs })
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
    timings,
  }
}

interface ScenarioRun {
  readonly plan: (epsilon: number | null) => readonly Selected[]
  readonly references: ScenarioReferences | null
}

/** ε is what the reference was told, so that both do the same, or else the true share of poison among the rows bearing the label. */
async function benchScenario(context: Context, { name, set, truth }: Scenario, { plan, references }: ScenarioRun) {
  const epsilon = truth.target && (references?.epsilon ?? truth.target.epsilon)
  const detectors: DetectorReport[] = []
  const elapsedMs: Record<string, number> = {}
  using resident = await DeviceSet.upload(context, set)
  for (const { detector, options } of plan(epsilon)) {
    const { id } = detector
    const began = performance.now()
    const scored = scoreScenario(set, truth, await detectOrFail(context, resident, { detector, options }))
    elapsedMs[id] = performance.now() - began
    detectors.push(
      scored.status === 'ran' ? { id, ...scored, options, reference: references?.detectors.get(id) ?? null } : { id, ...scored, options },
    )
  }
  const { target } = truth
  const report: ScenarioReport = {
    name,
    attack: truth.attack,
    rows: set.activations.rows,
    classes: set.classes.length,
    target: target && { label: target.label, rows: target.rows, poisonedRows: target.poisonedRows, epsilon: target.epsilon },
    detectors,
  }
  return { report, elapsedMs }
}
