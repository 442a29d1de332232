import { showText } from '../core/untrusted-text.js'
import { wrapText } from '../report/text-layout.js'
import type { AuditScore, AuditSummary, BenchReport, ScenarioReport } from './bench-report.js'
import { fixed, labelsOf, layOut, notAvailable, percent } from './columns.js'

interface Entry {
  readonly scenario: ScenarioReport
  readonly audit: AuditScore
}

/** What audits with trusted rows, or without, say of the scenarios: two tables over the poisoned ones, one over the clean ones, and a summary. */
export function auditTables({ scenarios, falseAccusationRate }: BenchReport, summary: AuditSummary, width: number): string[] {
  const entries = scenarios.flatMap((scenario) =>
    scenario.audits.filter(({ withTrusted }) => withTrusted === summary.withTrusted).map((audit): Entry => ({ scenario, audit })),
  )
  const poisoned = entries.filter(({ scenario }) => scenario.target !== null)
  const clean = entries.filter(({ scenario }) => scenario.target === null)
  const trusted = summary.withTrusted ? 'with the trusted rows' : 'without trusted rows'
  const lines = wrapText(`whole audit, ${trusted}: at a false accusation rate of ${percent(falseAccusationRate)} %`, width)
  if (poisoned.length > 0) lines.push('', ...targetTable(poisoned), '', ...rowsTable(poisoned))
  if (clean.length > 0) lines.push('', ...cleanTable(clean))
  return [...lines, '', ...summaryLines(summary).flatMap((line) => wrapText(line, width))]
}

/** Verdicts of the classes; of the target also ε and the source. */
function targetTable(entries: readonly Entry[]): string[] {
  const titles = ['poisoned', 'class', 'verdict', 'clean', 'multi', 'open', 'wrong', 'ε %', 'estimate %', 'least %', 'source']
  return layOut(
    titles,
    entries.map(({ scenario: { name, target }, audit }) => {
      const { clean, multimodal, inconclusive } = audit.cleanClasses
      return {
        name: showText(name),
        cells: [
          showText(target?.label ?? '', 12),
          audit.targetVerdict ?? notAvailable,
          ...[clean, multimodal, inconclusive, audit.wronglyAccused.length].map(String),
          percent(target?.epsilon ?? null),
          estimate(audit.epsilon),
          percent(audit.minDetectableEpsilon),
          `${audit.sourceLabel === null ? notAvailable : showText(audit.sourceLabel, 12)} (${showText(target?.source ?? 'none', 12)})`,
        ],
      }
    }),
  )
}

function estimate(epsilon: AuditScore['epsilon']): string {
  if (!epsilon) return notAvailable
  return `${percent(epsilon.estimate)} [${percent(epsilon.low)}, ${percent(epsilon.high)}]${epsilon.covers ? '' : ' ✗'}`
}

function rowsTable(entries: readonly Entry[]): string[] {
  const titles = ['poisoned', 'AUROC', 'of all', 'TPR %', 'FPR %', 'FPR of all %', 'removed', 'poison left', 'clean lost']
  return layOut(
    titles,
    entries.map(({ scenario, audit }) => ({
      name: showText(scenario.name),
      cells: [
        fixed(audit.auroc),
        fixed(audit.aurocOfAll),
        percent(audit.tpr),
        percent(audit.fpr),
        percent(audit.fprOfAll),
        removed(audit),
        `${audit.sanitize.poisonLeft}/${audit.sanitize.poisonedRows}`,
        String(audit.sanitize.cleanLost),
      ],
    })),
  )
}

const removed = ({ sanitize }: AuditScore) => (sanitize.outcome === 'undecided' ? 'undecided' : String(sanitize.removedRows))

function cleanTable(entries: readonly Entry[]): string[] {
  const titles = ['clean', 'rows', 'verdict', 'clean', 'multi', 'open', 'removed', 'accused']
  return layOut(
    titles,
    entries.map(({ scenario, audit }) => {
      const { clean, multimodal, inconclusive } = audit.cleanClasses
      return {
        name: showText(scenario.name),
        cells: [
          String(scenario.rows),
          audit.verdict,
          ...[clean, multimodal, inconclusive].map(String),
          removed(audit),
          labelsOf(audit.accused, 8),
        ],
      }
    }),
  )
}

function summaryLines({ poisoned, clean }: AuditSummary): string[] {
  const lines: string[] = []
  if (poisoned.scenarios > 0) {
    const { scenarios, targetsAccused, targetsCleared, targetsUndecided, cleanClasses, cleanClassesAccused } = poisoned
    lines.push(
      `Poisoned: ${targetsAccused} of ${scenarios} targets accused, ${targetsUndecided} undecided, ${targetsCleared} cleared; ` +
        `${cleanClassesAccused} of ${cleanClasses} clean classes accused; mean TPR ${percent(poisoned.tpr)} %, FPR ${percent(poisoned.fpr)} %; ` +
        `ε within its interval in ${poisoned.epsilonsCovered} of ${poisoned.epsilons}; source named rightly in ${poisoned.sourcesRight} of ` +
        `${poisoned.sources} accused targets that have one, wrongly in ${poisoned.sourcesWrong}; ` +
        `sanitize leaves ${poisoned.poisonLeft} of ${poisoned.poisonedRows} poisoned rows and loses ${poisoned.cleanLost} clean ones.`,
    )
  }
  if (clean.scenarios > 0) {
    lines.push(
      `Clean: ${clean.scenariosAccused} of ${clean.scenarios} sets accused, ${clean.scenariosUndecided} undecided; ` +
        `${clean.classesAccused} of ${clean.classes} classes accused; sanitize loses ${clean.cleanLost} rows.`,
    )
  }
  return lines
}
