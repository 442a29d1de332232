import { showText } from '../core/untrusted-text.js'
import type { ClassReport, Report } from '../report/schema.js'
import { capital, inWords, mainEvidence } from './class-table.js'
import { type Child, type Element, h } from './element.js'
import { histogramFigure } from './histogram-figure.js'
import type { ClassView } from './report-view.js'
import { classTitle, number, short, suspectedShare } from './report-words.js'
import { rowGallery } from './row-gallery.js'
import { scatterFigure } from './scatter-figure.js'
import { tokensFigure, triggerFigure } from './trigger-figure.js'
import { classId, verdictMark } from './verdict.js'

/** An accused class: what was found, the trigger, the rows, and where they lie. */
export function accusedSection(report: Report, view: ClassView): Element {
  const entry = report.classes[view.index] as ClassReport
  const id = classId(view.index)
  const share = suspectedShare(report, entry)
  const found = `${number(view.flaggedRows)} of its ${number(entry.rows)} rows are flagged.`
  return h(
    'section',
    { class: 'class', id, 'aria-labelledby': `${id}-title`, tabindex: -1 },
    h('h2', { id: `${id}-title` }, h('bdi', {}, `Class ${classTitle(entry)}`), ' ', verdictMark(entry.verdict)),
    h('p', { class: 'lead' }, share ? `${capital(share)}. ${found}` : found),
    h(
      'ul',
      { class: 'evidence' },
      mainEvidence(report, entry).map(({ detector, says, pValue }) =>
        h('li', {}, h('b', {}, showText(detector, 30)), `: ${showText(says, 400)}${pValue === null ? '' : ` (p = ${short(pValue)})`}`),
      ),
    ),
    view.trigger && triggerFigure(report, view.trigger),
    view.tokens && tokensFigure(report, view.tokens),
    rowGallery(view),
    charts(report, view),
    h('details', {}, h('summary', {}, 'What every detector says of this class'), evidenceTable(entry)),
  )
}

/** A class that was not accused, folded away. */
export function otherClass(report: Report, view: ClassView): Element {
  const entry = report.classes[view.index] as ClassReport
  return h(
    'details',
    { class: 'other', id: classId(view.index) },
    h(
      'summary',
      {},
      h('bdi', {}, classTitle(entry)),
      ' ',
      verdictMark(entry.verdict),
      h('span', { class: 'count' }, `${number(entry.rows)} rows`),
    ),
    h('p', {}, `${whatWasSeen(report, entry)}.`),
    charts(report, view),
    evidenceTable(entry),
  )
}

function whatWasSeen(report: Report, entry: ClassReport): string {
  const unknown = entry.verdict !== 'inconclusive' && entry.minDetectableEpsilon === null
  return unknown ? `${inWords(report, entry)}; how small a plant would have been seen here is not known` : inWords(report, entry)
}

function charts(report: Report, view: ClassView): Child {
  return h(
    'div',
    { class: 'charts' },
    view.scatter
      ? scatterFigure(report, view.index, view.scatter)
      : h('p', { class: 'note' }, 'Its rows do not differ, so there is nothing to draw.'),
    view.histogram && histogramFigure(view.histogram),
  )
}

function evidenceTable({ evidence }: ClassReport): Element {
  if (evidence.length === 0) return h('p', {}, 'No detector could judge this class.')
  const columns = ['Detector', 'Says', 'Statistic', 'Threshold', 'p']
  const orDash = (value: number | null) => (value === null ? '–' : short(value))
  return h(
    'table',
    { class: 'stacked', role: 'table' },
    h('caption', { class: 'hidden' }, 'Evidence by detector'),
    h(
      'thead',
      { role: 'rowgroup' },
      h(
        'tr',
        { role: 'row' },
        columns.map((name) => h('th', { scope: 'col', role: 'columnheader' }, name)),
      ),
    ),
    h(
      'tbody',
      { role: 'rowgroup' },
      evidence.map(({ detector, says, statistic, threshold, pValue }) =>
        h(
          'tr',
          { role: 'row' },
          h('th', { scope: 'row', role: 'rowheader' }, showText(detector, 30)),
          h('td', { role: 'cell', 'data-label': 'Says' }, h('span', {}, showText(says, 400))),
          h('td', { role: 'cell', 'data-label': 'Statistic' }, short(statistic)),
          h('td', { role: 'cell', 'data-label': 'Threshold' }, orDash(threshold)),
          h('td', { role: 'cell', 'data-label': 'p' }, orDash(pValue)),
        ),
      ),
    ),
  )
}
