import { type AuditScore, type AuditSummary, meanOf, type ScenarioReport } from './bench-report.js'

type Audited = Pick<ScenarioReport, 'target' | 'classes' | 'audits'>

/** Sums audits up, those with trusted rows and those without apart; a kind that no scenario has is left out. */
export function summariseAudits(scenarios: readonly Audited[]): AuditSummary[] {
  return [true, false].flatMap((withTrusted) => {
    const entries = scenarios.flatMap(({ target, classes, audits }) =>
      audits.filter((audit) => audit.withTrusted === withTrusted).map((audit) => ({ target, classes, audit })),
    )
    return entries.length > 0 ? [{ withTrusted, ...summarise(entries) }] : []
  })
}

interface Entry {
  readonly target: ScenarioReport['target']
  readonly classes: number
  readonly audit: AuditScore
}

function summarise(entries: readonly Entry[]): Omit<AuditSummary, 'withTrusted'> {
  const poisoned = entries.flatMap(({ target, audit }) => (target ? [{ target, audit }] : []))
  const clean = entries.filter(({ target }) => target === null)
  const accused = poisoned.filter(({ audit }) => isAccusation(audit.targetVerdict))
  const sources = accused.filter(({ target }) => target.source !== null)
  return {
    poisoned: {
      scenarios: poisoned.length,
      targetsAccused: accused.length,
      targetsCleared: count(poisoned, ({ audit }) => isCleared(audit.targetVerdict)),
      targetsUndecided: count(poisoned, ({ audit }) => audit.targetVerdict === 'inconclusive'),
      cleanClasses: sum(poisoned, ({ audit }) => Object.values(audit.cleanClasses).reduce((total, value) => total + value, 0)),
      cleanClassesAccused: sum(poisoned, ({ audit }) => audit.wronglyAccused.length),
      tpr: meanOf(poisoned.map(({ audit }) => audit.tpr)),
      fpr: meanOf(poisoned.map(({ audit }) => audit.fpr)),
      epsilons: count(poisoned, ({ audit }) => audit.epsilon !== null),
      epsilonsCovered: count(poisoned, ({ audit }) => audit.epsilon?.covers === true),
      sources: sources.length,
      sourcesRight: count(sources, ({ target, audit }) => audit.sourceLabel === target.source),
      sourcesWrong: count(poisoned, ({ target, audit }) => audit.sourceLabel !== null && audit.sourceLabel !== target.source),
      poisonedRows: sum(poisoned, ({ audit }) => audit.sanitize.poisonedRows),
      poisonLeft: sum(poisoned, ({ audit }) => audit.sanitize.poisonLeft),
      cleanLost: sum(poisoned, ({ audit }) => audit.sanitize.cleanLost),
    },
    clean: {
      scenarios: clean.length,
      scenariosAccused: count(clean, ({ audit }) => audit.accused.length > 0),
      scenariosUndecided: count(clean, ({ audit }) => audit.verdict === 'inconclusive'),
      classes: sum(clean, ({ classes }) => classes),
      classesAccused: sum(clean, ({ audit }) => audit.accused.length),
      cleanLost: sum(clean, ({ audit }) => audit.sanitize.cleanLost),
    },
  }
}

export const isAccusation = (verdict: AuditScore['targetVerdict']) => verdict === 'poisoned' || verdict === 'suspicious'
export const isCleared = (verdict: AuditScore['targetVerdict']) => verdict === 'clean' || verdict === 'multimodal'

const sum = <T>(entries: readonly T[], value: (entry: T) => number) => entries.reduce((total, entry) => total + value(entry), 0)
const count = <T>(entries: readonly T[], holds: (entry: T) => boolean) => entries.filter(holds).length
