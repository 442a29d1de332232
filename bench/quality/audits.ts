import type { AuditScore } from '../../src/bench/bench-report.js'
import { openScenario, type ScenarioFolder } from '../../src/bench/node-scenario-folder.js'
import { planAudit } from '../../src/bench/plan.js'
import { concludeAudit, runDetectors } from '../../src/bench/run-audit.js'
import { scoreAudit } from '../../src/bench/score-audit.js'
import { checkTruth } from '../../src/bench/truth.js'
import { type ActivationSet, type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import type { Context } from '../../src/core/backend.js'
import { DeviceSet } from '../../src/core/device-set.js'
import { rowsPerRead } from '../../src/core/read-rows.js'
import { Rng } from '../../src/core/rng.js'
import { type PlantedActivations, plantedActivations } from '../../src/redteam/planted-activations.js'
import { attackCase, type Case, cleanCase } from './cases.js'

export const rates = [0.01, 0.05] as const
/** What the verdict rests on; the other detectors only rank rows. */
const plan = planAudit(['whitened-mixture', 'exre-lite'], {})

/** One audit of a clean set. */
export interface CleanRun {
  readonly part: 'calibration'
  readonly index: number
  readonly kind: string
  readonly classes: number
  readonly rows: number
  readonly withTrusted: boolean
  /** Parallel to `rates`. */
  readonly concluded: readonly Conclusion[]
}

export interface Conclusion {
  readonly verdict: string
  /** Classes that are accused, and classes that are left undecided. */
  readonly accused: number
  readonly undecided: number
}

/** One audit of a poisoned set. */
export interface AttackRun {
  readonly part: 'sweep'
  readonly index: number
  readonly kind: string
  readonly classes: number
  readonly rows: number
  readonly target: { readonly rows: number; readonly poisonedRows: number; readonly epsilon: number; readonly source: number | null }
  readonly audit: AuditScore
}

/** Audits clean set `index`: a planted one, or in every tenth place a random half of one of the clean scenarios, where there are some. */
export async function auditClean(
  context: Context,
  index: number,
  { seed, clean }: { seed: number; clean: readonly CleanSource[] },
): Promise<CleanRun> {
  const half = index % 10 === 9 && clean.length > 0
  const { kind, set } = half ? await halfOf(clean, index, seed) : plantedClean(cleanCase(index, seed))
  using resident = await DeviceSet.upload(context, set)
  const { results } = await runDetectors(context, resident, plan)
  const concluded = rates.map((falseAccusationRate): Conclusion => {
    const { verdict, classes } = concludeAudit(context, set, { results, falseAccusationRate }).report
    const count = (...verdicts: string[]) => classes.filter((entry) => verdicts.includes(entry.verdict)).length
    return { verdict, accused: count('poisoned', 'suspicious'), undecided: count('inconclusive') }
  })
  const { rows } = set.activations
  return { part: 'calibration', index, kind, classes: set.classes.length, rows, withTrusted: set.trusted !== null, concluded }
}

function plantedClean({ kind, options }: Case) {
  return { kind, set: toActivationSet(plantedActivations(options).set) }
}

/** Audits poisoned set `index` and holds the report against what was planted. */
export async function auditAttack(context: Context, index: number, sets: { seed: number; trusted: number }): Promise<AttackRun> {
  const { kind, options } = attackCase(index, sets)
  const planted = plantedActivations(options)
  const set = toActivationSet(planted.set)
  const truth = truthOf(set, planted)
  using resident = await DeviceSet.upload(context, set)
  const { results } = await runDetectors(context, resident, plan)
  const audit = scoreAudit(set, truth, concludeAudit(context, set, { results, falseAccusationRate: rates[0] }))
  if (!truth.target) throw new Error('unreachable: an attack poisons at least one row')
  const { rows, poisonedRows, epsilon, source } = truth.target
  return {
    part: 'sweep',
    index,
    kind,
    classes: set.classes.length,
    rows: set.activations.rows,
    target: { rows, poisonedRows, epsilon, source: source === null ? null : Number(source) },
    audit,
  }
}

function truthOf(set: ActivationSet, { truth }: PlantedActivations) {
  const { poison: poisoned, target, source } = truth
  return checkTruth(set, { poisoned, attack: null, target, epsilon: null, source }, 'planted set')
}

/** A clean scenario, as arrays to draw halves of. */
export interface CleanSource {
  readonly name: string
  readonly data: Float32Array
  readonly cols: number
  /** Whole numbers, or all of them strings. */
  readonly labels: readonly number[]
  readonly trusted: ActivationSetInput['trusted']
}

/** The clean ones of some scenarios, in memory. */
export async function cleanSources(folders: readonly ScenarioFolder[]): Promise<CleanSource[]> {
  const sources: CleanSource[] = []
  for (const folder of folders) {
    const { name, set, truth } = await openScenario(folder)
    if (truth.target) continue
    const { rows, cols } = set.activations
    const data = new Float32Array(rows * cols)
    for await (const block of set.activations.blocks(rowsPerRead(cols))) data.set(block.data, block.start * cols)
    const labelOf = (c: number) => set.classes[c]?.label ?? 'of no class'
    const { trusted } = set
    sources.push({
      name,
      data,
      cols,
      labels: Array.from(set.classOf, labelOf) as number[],
      trusted: trusted ? { activations: trusted.activations, labels: Array.from(trusted.classOf, labelOf) as number[] } : undefined,
    })
  }
  return sources
}

/** A random half of the rows of a source; sources take turns, each with its trusted rows and without. */
async function halfOf(sources: readonly CleanSource[], index: number, seed: number) {
  const turn = Math.floor(index / 10)
  const { name, data, cols, labels, trusted } = sources[turn % sources.length] as CleanSource
  const rng = new Rng(seed, `half ${index}`)
  const rows = labels.flatMap((_, row) => (rng.float() < 0.5 ? [row] : []))
  const half = new Float32Array(rows.length * cols)
  for (const [at, row] of rows.entries()) half.set(data.subarray(row * cols, (row + 1) * cols), at * cols)
  const withTrusted = Math.floor(turn / sources.length) % 2 === 0
  const set = toActivationSet({
    activations: { data: half, rows: rows.length, cols },
    labels: rows.map((row) => labels[row] as number),
    ...(withTrusted && trusted && { trusted }),
  })
  return { kind: `half of ${name}`, set }
}
