import { showText } from '../core/untrusted-text.js'
import { displayWidth, fitText, wrapText } from '../report/text-layout.js'
import { type BenchReport, type DetectorReport, type MeanReport, meanOf, type ScenarioReport } from './bench-report.js'
import type { Reference } from './references.js'

/** Tables take up to this, also where the terminal is narrower: a wrapped line is hard to read, a cut one tells less. */
const maxWidth = 120
const notAvailable = '–'

const legend: readonly (readonly [string, string])[] = [
  ['TPR@1%', 'share of the poison above the score that 1 % of the clean rows reach'],
  ['TPR, FPR', "share of the poison, and of the clean rows, that the detector's own cut flags; left: poisoned rows that it leaves"],
  ['flagged', 'share of the rows that it flags; statistic: what it decides by (activation clustering: the mean silhouette)'],
  ['accused', 'whether it accuses the target class, + how many others'],
  ['(…)', "the reference's figure, from results.json; – is a figure that is not to be had"],
]

type Ran = Extract<DetectorReport, { status: 'ran' }>

/** One line of a table: cells by column, or a sentence in their place. */
type Line = { readonly name: string; readonly cells: readonly string[] } | { readonly name: string; readonly says: string }

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
 * scenarios, at most 120 columns; sentences are wrapped at `width`. What a reference reached stands in brackets. Pure; ends with a newline.
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
  return `${lines.join('\n')}\n`
}

/** What the detector was told, and so what its own cut means. */
function heading(id: string, poisoned: readonly ScenarioReport[], clean: readonly ScenarioReport[]): string {
  const options = [...poisoned, ...clean].flatMap(({ detectors }) =>
    detectors.filter((entry) => entry.id === id).map((entry) => entry.options as { epsilon?: number; analysis?: string }),
  )
  const epsilons = [...new Set(options.flatMap(({ epsilon }) => epsilon ?? []))]
  if (id === 'spectral-signatures') {
    const same = epsilons.length === 1 ? `ε = ${percent(epsilons[0] ?? null)} %` : 'ε, the share of poison, as its paper is'
    const assumed = epsilons.length > 1 && clean.length > 0 ? ' (5 % in clean sets)' : ''
    return `${id}: is told ${same}${assumed}; cuts off the 1.5·ε·n rows of highest score in every class, and accuses none`
  }
  if (id === 'activation-clustering') {
    const analysis = options[0]?.analysis
    const cut = analysis === 'smaller' ? 'the smaller cluster of every class' : `what its analysis "${showText(analysis)}" calls poison`
    return `${id}: is told nothing; its own cut here is ${cut}, but it accuses by the silhouette rule alone`
  }
  return id
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

/** First and last column to the left, the others to the right. Where a line gets too long, names are cut first, then its end. */
function layOut([first = '', ...titles]: readonly string[], lines: readonly Line[]): string[] {
  const rows = [titles, ...lines.flatMap((line) => ('cells' in line ? [line.cells] : []))]
  const widths = titles.map((_, at) => Math.max(...rows.map((cells) => displayWidth(cells[at] ?? ''))))
  const room = Math.max(16, maxWidth - widths.reduce((sum, width) => sum + 2 + width, 0))
  const nameWidth = Math.min(room, Math.max(displayWidth(first), ...lines.map(({ name }) => displayWidth(name))))
  const row = (name: string, cells: readonly string[]) => {
    const last = cells.length - 1
    const padded = cells.map((cell, at) => (at === last ? cell : ' '.repeat((widths[at] ?? 0) - displayWidth(cell)) + cell))
    const line = [fitText(name, nameWidth), ...padded].join('  ')
    return (displayWidth(line) > maxWidth ? fitText(line, maxWidth) : line).trimEnd()
  }
  return [row(first, titles), ...lines.map((line) => ('cells' in line ? row(line.name, line.cells) : row(line.name, [line.says])))]
}

/** Whether the target is accused, and how many other classes. */
const accusedOf = (target: string, others: number) => (others > 0 ? `${target} +${others}` : target)

function labelsOf(accused: Ran['accused'], most: number): string {
  const shown = accused.slice(0, most).map((label) => showText(label, 20))
  const more = accused.length - shown.length
  return accused.length === 0 ? 'none' : `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function bracketed(value: number | null, format: (value: number) => string): string {
  return value === null ? '' : ` (${format(value)})`
}

function percent(value: number | null): string {
  return value === null ? notAvailable : value === 1 ? '100' : (100 * value).toFixed(1)
}

function fixed(value: number | null): string {
  return value === null ? notAvailable : value.toFixed(3)
}
