import { type ActivationSetInput, toActivationSet } from '../../src/core/activation-set.js'
import { hashedSet } from '../../src/core/digest.js'
import type { Label } from '../../src/core/labels.js'
import { overallVerdict } from '../../src/report/build.js'
import type { ClassReport, Report } from '../../src/report/schema.js'
import { handMadeReport } from '../report/hand-made.js'

export interface Accusation {
  readonly label: Label
  readonly verdict?: ClassReport['verdict']
  readonly source?: Label
  readonly rows?: readonly number[]
}

/** A report of this very input in which just these classes are not clean. The flagged rows are given as they are, most suspicious first. */
export async function reportOn(input: ActivationSetInput, accusations: readonly Accusation[]): Promise<Report> {
  const hashed = hashedSet(toActivationSet(input))
  const origin = typeof input.origin === 'function' ? await input.origin() : input.origin
  const digest = origin?.digest ?? (await hashed.digest())
  const report = handMadeReport(hashed.set, [], { digest, files: origin?.files ?? [] })
  const classes = report.classes.map((entry): ClassReport => {
    const own = accusations.find(({ label }) => label === entry.label)
    return { ...entry, verdict: own ? (own.verdict ?? 'poisoned') : 'clean', sourceLabel: own?.source ?? null }
  })
  const flagged = accusations.flatMap(({ rows }) => rows ?? [])
  const reasons = flagged.map((row) => [`by-hand: row ${row} stands apart`])
  const detectors = [{ id: 'by-hand', status: 'ran' as const, reason: 'ran on all classes' }]
  return { ...report, verdict: overallVerdict(classes, detectors), classes, rows: { flagged, reasons, probability: null }, detectors }
}
