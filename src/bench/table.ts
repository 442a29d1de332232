import { showText } from '../core/untrusted-text.js'
import { wrapText } from '../report/text-layout.js'
import { auditTables } from './audit-table.js'
import { type BenchReport, type DetectorReport, type MeanReport, meanOf, type ScenarioReport } from './bench-report.js'
import { fixed, type Line, labelsOf, layOut, maxWidth, notAvailable, percent } from './columns.js'
import type { Reference } from './references.js'

const legend: readonly (readonly [string, string])[] = [
  ['TPR@1%', 'share of the poison above the score that 1 % of the clean rows reach; TPR@5%: that 5 % reach'],
  ['TPR, FPR', "share of the poison, and of the clean rows, that the detector's own cut flags; left: poisoned rows that it leaves"],
  ['flagged', 'share of the rows that it flags; statistic: what it decides by (activation clustering: the mean silhouette)'],
  ['accused', 'whether it accuses the target class, + how many others'],
  [
    'audit',
    'verdict of the target class; other classes that are clean, multimodal, left open, wrongly accused; least: the smallest ε that it says it would have seen; source: as it names it (as it is); ✗: ε is not in the interval',
  ],
  ['(…)', "the reference's figure, from results.json; – is a figure that is not to be had"],
]

type Ran = Extract<DetectorReport, { status: 'ran' }>

interface Column {
  readonly title: string
  cell(score: Ran, scenario: ScenarioReport): string
  /** The figure of the mean line. */
  mean(mean: MeanReport, references: readonly (Reference | null)[]): string
  /** Left out where no scenario has a figure for it. */
  readonly shown?: (scores: readonly Ran[]) => boolean
}

/**
 * A bench report as text for people: for each detector a table over the poisoned scenarios with their mean, then one over the clean
 * scenarios; then the same of whole audits, with trusted rows and without. At most 132 columns; sentences are wrapped at `width`. What a reference reached stands in brackets. Pure; ends with a newline.
 */
export function formatBench(report: BenchReport, { width: wanted }: { readonly width: number }): string {
  const width = Math.max(60, Math.min(wanted, maxWidth))
  const poisoned = report.scenarios.filter(({ target }) => target !== null)
  const clean = report.scenarios.filter(({ target }) => target === null)
  const { name, adapter, reason } = report.backend
  const lines = [
    ...wrapText(`Backend: ${name} (${showText(adapter)}): ${showText(reason, 300)}; seed ${report.seed}`, width),
    'Figures are those of the target class in poisoned scenarios, of all rows in clean ones.',
    ...legend.flatMap(([term, meaning]) =>
      wrapText(meaning, width - 12).map((line, at) => `  ${(at === 0 ? term : '').padEnd(10)}${line}`),
    ),
  ]
  for (const mean of report.means) {
    lines.push('', ...wrapText(heading(mean.id, poisoned, clean), width))
    if (poisoned.length > 0) lines.push('', ...poisonedTable(mean, poisoned), ...accusedClasses(mean.id, poisoned, width))
    if (clean.length > 0) lines.push('', ...cleanTable(mean.id, clean))
  }
  for (const summary of report.summaries) lines.push('', ...auditTables(report, summary, width))
  return `${lines.join('\n')}\n`
}

/** What the detector was told, and so what its own cut means. */
function heading(id: string, poisoned: readonly ScenarioReport[], clean: readonly ScenarioReport[]): string {
  const options = [...poisoned, ...clean].flatMap(({ detectors }) =>
    detectors.filter((entry) => entry.id === id).map((entry) => entry.options as { epsilon?: number; analysis?: string }),
  )
  const epsilons = [...new Set(options.flatMap(({ epsilon }) => epsilon ?? []))]
  if (id === 'spectral-signatures' || id === 'spectre') {
    const same = epsilons.length === 1 ? `ε = ${percent(epsilons[0] ?? null)} %` : 'ε, the share of poison, as its paper is'
    const assumed = epsilons.length > 1 && clean.length > 0 ? ' (5 % in clean sets)' : ''
    return `${id}: is told ${same}${assumed}; cuts off the 1.5·ε·n rows of highest score in every class, and accuses none`
  }
  if (id === 'activation-clustering') {
    const analysis = options[0]?.analysis
    const cut = analysis === 'smaller' ? 'the smaller cluster of every class' : `what its analysis "${showText(analysis)}" calls poison`
    return `${id}: is told nothing; its own cut here is ${cut}, but it accuses by the silhouette rule alone`
  }
  if (id === 'whitened-mixture') return `${id}: is told nothing; accuses no class by itself, but an audit's verdict weighs what it finds`
  return `${id}: is told nothing`
}

const columns: readonly Column[] = [
  { title: 'class', cell: (_, { target }) => showText(target?.label ?? '', 12), mean: () => '' },
  {
    title: 'told ε %',
    cell: ({ options }) => percent((options as { epsilon?: number }).epsilon ?? null),
    mean: () => '',
    shown: (scores) => scores.some(({ options }) => typeof (options as { epsilon?: number }).epsilon === 'number'),
  },
  withReference('AUROC', fixed, 'auroc', 'auroc'),
  {
    title: 'TPR@1%',
    cell: ({ tprAt1PercentFpr }) => percent(tprAt1PercentFpr),
    mean: ({ tprAt1PercentFpr }) => percent(tprAt1PercentFpr),
  },
  {
    title: 'TPR@5%',
    cell: ({ tprAt5PercentFpr }) => percent(tprAt5PercentFpr),
    mean: ({ tprAt5PercentFpr }) => percent(tprAt5PercentFpr),
  },
  withReference('TPR %', percent, 'tpr', 'tpr'),
  withReference('FPR %', percent, 'fpr', 'fpr'),
  {
    title: 'left',
    cell: ({ poisonedLeft, reference }, { target }) =>
      `${poisonedLeft ?? notAvailable}/${target?.poisonedRows ?? notAvailable}${bracketed(reference?.poisonedLeft ?? null, String)}`,
    mean: ({ poisonedLeft, poisonedRows }) => `${poisonedLeft}/${poisonedRows}`,
  },
  {
    ...withReference('flagged %', percent, 'flaggedShare', 'flaggedShare'),
    shown: (scores) => scores.some(({ reference }) => (reference?.flaggedShare ?? null) !== null),
  },
  {
    ...withReference('statistic', fixed, 'statistic', 'statistic'),
    shown: (scores) => scores.some(({ reference }) => (reference?.statistic ?? null) !== null),
  },
  {
    title: 'accused',
    cell: ({ targetAccused, accused }) => accusedOf(targetAccused ? 'yes' : 'no', accused.length - (targetAccused ? 1 : 0)),
    mean: ({ targetsAccused, scenarios, cleanClassesAccused }) => accusedOf(`${targetsAccused}/${scenarios}`, cleanClassesAccused),
  },
]

function withReference(
  title: string,
  format: (value: number | null) => string,
  own: 'auroc' | 'tpr' | 'fpr' | 'flaggedShare' | 'statistic',
  other: keyof Reference,
): Column {
  return {
    title,
    cell: (score) => format(score[own]) + bracketed(score.reference?.[other] ?? null, format),
    mean: (mean, references) => {
      const value = own === 'flaggedShare' || own === 'statistic' ? null : mean[own]
      if (value === null) return ''
      // A mean over other scenarios than ours could not be compared.
      const complete = references.every((reference) => (reference?.[other] ?? null) !== null)
      return format(value) + bracketed(complete ? meanOf(references.map((reference) => reference?.[other] ?? null)) : null, format)
    },
  }
}

function poisonedTable(mean: MeanReport, scenarios: readonly ScenarioReport[]): string[] {
  const entries = scenarios.flatMap((scenario) =>
    scenario.detectors.filter(({ id }) => id === mean.id).map((detector) => ({ scenario, detector })),
  )
  const ran = entries.flatMap(({ detector }) => (detector.status === 'ran' ? [detector] : []))
  const shown = columns.filter((column) => column.shown?.(ran) ?? true)
  const lines = entries.map(({ scenario, detector }): Line => {
    const name = showText(scenario.name)
    if (detector.status !== 'ran') return { name, says: `${detector.status}: ${showText(detector.reason, 300)}` }
    return { name, cells: shown.map((column) => column.cell(detector, scenario)) }
  })
  if (ran.length > 0) {
    const references = ran.map(({ reference }) => reference)
    lines.push({ name: `mean of ${ran.length}`, cells: shown.map((column) => column.mean(mean, references)) })
  }
  return layOut(['poisoned', ...shown.map(({ title }) => title)], lines)
}

/** Which classes the poisoned table's last column counts. */
function accusedClasses(id: string, scenarios: readonly ScenarioReport[], width: number): string[] {
  const said = scenarios.flatMap(({ name, detectors }) =>
    detectors.flatMap((detector) =>
      detector.id === id && detector.status === 'ran' && detector.accused.length > 0
        ? [`${showText(name)}: ${labelsOf(detector.accused, 20)}`]
        : [],
    ),
  )
  return said.length === 0 ? [] : wrapText(`Classes accused in ${said.join('; ')}.`, width)
}

function cleanTable(id: string, scenarios: readonly ScenarioReport[]): string[] {
  const lines = scenarios.flatMap(({ name, rows, classes, detectors }) =>
    detectors
      .filter((detector) => detector.id === id)
      .map((detector): Line => {
        if (detector.status !== 'ran') return { name: showText(name), says: `${detector.status}: ${showText(detector.reason, 300)}` }
        const fpr = percent(detector.fpr) + bracketed(detector.reference?.fpr ?? null, percent)
        return {
          name: showText(name),
          cells: [String(rows), String(classes), fpr, String(detector.flaggedRows), labelsOf(detector.accused, 8)],
        }
      }),
  )
  return layOut(['clean', 'rows', 'classes', 'FPR %', 'flagged', 'accused'], lines)
}

/** Whether the target is accused, and how many other classes. */
const accusedOf = (target: string, others: number) => (others > 0 ? `${target} +${others}` : target)

function bracketed(value: number | null, format: (value: number) => string): string {
  return value === null ? '' : ` (${format(value)})`
}
