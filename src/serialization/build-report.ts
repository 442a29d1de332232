import type { Findings } from './findings.js'
import type { ModelExamination, ScanFinding, ScanReport, Severity } from './scan-report.js'

/** What the gravest finding of the files alone makes of the score. */
const scoreOf: Readonly<Record<Severity, number>> = { dangerous: 1, suspicious: 0.7, undecided: 0.3, note: 0 }
const verdictOf: Readonly<Record<Severity, ScanReport['verdict']>> = {
  dangerous: 'poisoned',
  suspicious: 'suspicious',
  undecided: 'inconclusive',
  note: 'clean',
}

/** The report of a scan: the gravest finding decides the verdict, the most suspicious model or data set the target and the classes. */
export function buildScanReport(findings: Findings, examinations: readonly ModelExamination[]): ScanReport {
  for (const { findings: found } of examinations) for (const finding of found) findings.push(finding)
  const listed: ScanFinding[] = findings.sorted()
  const gravest = listed[0]?.severity ?? 'note'
  const worst = [...examinations].sort((a, b) => Number(b.classes.length > 0) - Number(a.classes.length > 0) || b.score - a.score)[0]
  return {
    schemaVersion: 1,
    verdict: verdictOf[gravest],
    score: Math.max(scoreOf[gravest], ...examinations.map(({ score }) => Math.min(1, Math.max(0, score)))),
    target: worst?.target ?? null,
    classes: [...(worst?.classes ?? [])],
    findings: listed,
  }
}
