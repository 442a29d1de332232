import { meanOf } from '../../src/bench/bench-report.js'
import { percent } from '../../src/bench/columns.js'
import { isAccusation, isCleared } from '../../src/bench/summarise-audits.js'
import { binomialInterval } from '../../src/stats/binomial-interval.js'
import { type AttackRun, type CleanRun, rates } from './audits.js'

/** Poisoned rows from which a target should be decided. */
const enough = 20

/** False accusations of clean sets as a markdown table: by kind, with trusted rows and without, and of all. */
export function calibrationTable(runs: readonly CleanRun[]): string[] {
  const kinds = [...new Set(runs.map(({ kind }) => kind))].sort()
  const groups: Group<CleanRun>[] = [
    ...kinds.map((kind): Group<CleanRun> => [kind, (run) => run.kind === kind]),
    ['**with trusted rows**', ({ withTrusted }) => withTrusted],
    ['**without**', ({ withTrusted }) => !withTrusted],
    ['**all**', () => true],
  ]
  const titles = [
    'clean sets',
    'audits',
    ...rates.flatMap((rate) => [`accused at ${percent(rate)} %`, '95 % interval']),
    'undecided sets',
    'undecided classes',
  ]
  const lines = grouped(runs, groups).map(([name, own]) => {
    const accused = rates.flatMap((_, at) => {
      const hits = own.filter(({ concluded }) => (concluded[at]?.accused ?? 0) > 0).length
      return [`${hits} (${percent(hits / own.length)} %)`, interval(hits, own.length)]
    })
    const undecided = own.filter(({ concluded }) => concluded[0]?.verdict === 'inconclusive').length
    const share = meanOf(own.map(({ concluded, classes }) => (concluded[0]?.undecided ?? 0) / classes))
    return [name, String(own.length), ...accused, `${percent(undecided / own.length)} %`, `${percent(share)} %`]
  })
  return markdown(titles, lines)
}

/** Whether a report is sure of something that is not so: a clean class accused, or the target cleared though its share is one that would have been seen. */
export const isConfidentlyWrong = (run: AttackRun) => run.audit.wronglyAccused.length > 0 || isMissed(run)

const isMissed = ({ target, audit }: AttackRun) =>
  isCleared(audit.targetVerdict) && audit.minDetectableEpsilon !== null && target.epsilon >= audit.minDetectableEpsilon

/** What reports say of poisoned sets as a markdown table: by attack, poison, trusted rows and classes, and of all. */
export function sweepTable(runs: readonly AttackRun[]): string[] {
  const kinds = [...new Set(runs.map(({ kind }) => kind))].sort()
  const poison =
    (low: number, high: number) =>
    ({ target }: AttackRun) =>
      target.poisonedRows >= low && target.poisonedRows < high
  const classes = (low: number, high: number) => (run: AttackRun) => run.classes >= low && run.classes <= high
  const groups: Group<AttackRun>[] = [
    ...kinds.map((kind): Group<AttackRun> => [kind, (run) => run.kind === kind]),
    [`1–${enough - 1} poisoned rows`, poison(1, enough)],
    [`${enough}–99`, poison(enough, 100)],
    ['100 and more', poison(100, Number.POSITIVE_INFINITY)],
    ['2–9 classes', classes(2, 9)],
    ['10–43', classes(10, 43)],
    ['1,000', classes(1000, 1000)],
    ['**with trusted rows**', ({ audit }) => audit.withTrusted],
    ['**without**', ({ audit }) => !audit.withTrusted],
    ['**all**', () => true],
  ]
  const titles = [
    'poisoned sets',
    'audits',
    'target accused',
    'undecided',
    'cleared',
    'cleared though it would be seen',
    'clean class accused',
    'TPR %',
    'FPR %',
    'source right',
    'wrong',
    'ε in its interval',
  ]
  const lines = grouped(runs, groups).map(([name, own]) => {
    const count = (holds: (run: AttackRun) => boolean) => own.filter(holds).length
    const accused = own.filter(({ audit }) => isAccusation(audit.targetVerdict))
    const sources = accused.filter(({ target }) => target.source !== null)
    return [
      name,
      String(own.length),
      String(accused.length),
      String(count(({ audit }) => audit.targetVerdict === 'inconclusive')),
      String(count(({ audit }) => isCleared(audit.targetVerdict))),
      String(count(isMissed)),
      String(count(({ audit }) => audit.wronglyAccused.length > 0)),
      // Of accused targets: elsewhere nothing is flagged.
      percent(meanOf(accused.map(({ audit }) => audit.tpr))),
      percent(meanOf(accused.map(({ audit }) => audit.fpr))),
      `${sources.filter(({ target, audit }) => audit.sourceLabel === target.source).length}/${sources.length}`,
      String(count(({ target, audit }) => audit.sourceLabel !== null && audit.sourceLabel !== target.source)),
      `${count(({ audit }) => audit.epsilon?.covers === true)}/${count(({ audit }) => audit.epsilon !== null)}`,
    ]
  })
  return markdown(titles, lines)
}

/** The figures of a sweep that matter most, a sentence each. */
export function sweepSummary(runs: readonly AttackRun[]): string[] {
  const wrong = runs.filter(isConfidentlyWrong).length
  const many = runs.filter(({ target }) => target.poisonedRows >= enough)
  const share = (hits: number, of: number) => `${hits} of ${of} (${of === 0 ? '–' : `${percent(hits / of)} %, ${interval(hits, of)}`})`
  const accused = runs.filter(({ audit }) => isAccusation(audit.targetVerdict))
  const accusedMany = many.filter(({ audit }) => isAccusation(audit.targetVerdict))
  const decided = many.filter(({ audit }) => audit.targetVerdict !== 'inconclusive')
  const covered = accused.filter(({ audit }) => audit.epsilon?.covers)
  return [
    `Confidently wrong (a clean class accused, or a target cleared whose share the report says it would have seen): ${share(wrong, runs.length)}.`,
    `Targets with ${enough} poisoned rows or more: decided ${share(decided.length, many.length)}, accused ${share(accusedMany.length, many.length)}.`,
    `ε of accused targets within its interval of 90 %: ${share(covered.length, accused.length)}.`,
  ]
}

type Group<T> = readonly [name: string, holds: (run: T) => boolean]

/** Groups that have runs. */
function grouped<T>(runs: readonly T[], groups: readonly Group<T>[]): [string, T[]][] {
  return groups.map(([name, holds]): [string, T[]] => [name, runs.filter(holds)]).filter(([, own]) => own.length > 0)
}

/** Clopper and Pearson's, in per cent. */
function interval(hits: number, n: number): string {
  const { low, high } = binomialInterval(hits, n, 0.95)
  return `${percent(low)}–${percent(high)} %`
}

function markdown(titles: readonly string[], lines: readonly (readonly string[])[]): string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [row(titles), row(titles.map((_, at) => (at === 0 ? '---' : '---:'))), ...lines.map(row)]
}
