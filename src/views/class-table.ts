import { showText } from '../core/untrusted-text.js'
import type { ClassReport, Report } from '../report/schema.js'
import { mostSuspiciousFirst, severity } from './class-order.js'
import { type Element, h } from './element.js'
import { classTitle, number, percent, short } from './report-words.js'
import { classId, verdictMark } from './verdict.js'

/** Every class, the most suspicious first; `sortTables` lets people sort it by any column. `detailed`: those with a section to go to. */
export function classTable(report: Report, detailed: ReadonlySet<number>): Element {
  const columns = ['Class', 'Rows', 'Verdict', 'Suspected share', 'p', 'Source class', 'What was seen']
  return h(
    'section',
    { 'aria-labelledby': 'classes' },
    h('h2', { id: 'classes' }, report.classes.length === 1 ? 'The class' : `All ${number(report.classes.length)} classes`),
    h(
      'table',
      { class: 'classes', 'data-sortable': true, role: 'table' },
      h('caption', {}, 'Sorted by verdict. Suspected share is the estimated share of planted rows with its 90 % interval.'),
      h(
        'thead',
        { role: 'rowgroup' },
        h(
          'tr',
          { role: 'row' },
          columns.map((name) =>
            h('th', { scope: 'col', role: 'columnheader', 'aria-sort': name === 'Verdict' ? 'ascending' : null }, name),
          ),
        ),
      ),
      h(
        'tbody',
        { role: 'rowgroup' },
        mostSuspiciousFirst(report).map((index) => classRow(report, index, detailed.has(index))),
      ),
    ),
  )
}

function classRow(report: Report, index: number, linked: boolean): Element {
  const entry = report.classes[index] as ClassReport
  const { epsilon, pValue, sourceLabel } = entry
  const source = sourceLabel === null ? -1 : report.classes.findIndex(({ label }) => label === sourceLabel)
  const name = h('bdi', {}, classTitle(entry))
  const cell = (label: string, sort: string | number, ...children: Parameters<typeof h>[2][]) =>
    h('td', { role: 'cell', 'data-label': label, 'data-sort': sort }, ...children)
  return h(
    'tr',
    { role: 'row', class: entry.verdict },
    h('th', { scope: 'row', role: 'rowheader', 'data-sort': index }, linked ? h('a', { href: `#${classId(index)}` }, name) : name),
    cell('Rows', entry.rows, number(entry.rows)),
    cell('Verdict', severity[entry.verdict], verdictMark(entry.verdict)),
    cell(
      'Suspected share',
      epsilon?.estimate ?? -1,
      epsilon
        ? [percent(epsilon.estimate), ' ', h('span', { class: 'interval' }, `${percent(epsilon.low)} to ${percent(epsilon.high)}`)]
        : '–',
    ),
    cell('p', pValue ?? 2, h('span', { class: 'nowrap' }, pValue === null ? '–' : short(pValue))),
    cell('Source class', source, source < 0 ? '–' : h('bdi', {}, classTitle(report.classes[source] as ClassReport))),
    cell('What was seen', mainEvidence(report, entry).length, h('span', {}, inWords(report, entry))),
  )
}

/** The evidence that speaks for an accusation, as the terminal's report gives it. */
export function mainEvidence({ rows }: Report, { evidence, verdict }: ClassReport): ClassReport['evidence'] {
  if (verdict !== 'poisoned' && verdict !== 'suspicious') return []
  const telling = evidence.filter(({ detector }) => rows.reasons.some((reasons) => reasons.some((one) => one.startsWith(`${detector}: `))))
  return telling.length > 0 ? telling : evidence
}

/** What was seen in a class, in a sentence; of one that was left open, why. */
export function inWords(report: Report, entry: ClassReport): string {
  const [first, ...more] = mainEvidence(report, entry)
  if (first) return `${capital(showText(first.says, 260))}${more.length > 0 ? ` (and ${number(more.length)} more)` : ''}`
  const { minDetectableEpsilon: least } = entry
  const seen = least === null ? '' : `; a plant of ${percent(least)} of its rows or more would have been seen`
  if (entry.verdict === 'inconclusive') {
    if (entry.evidence.length === 0) return 'Not examined: no detector could judge it'
    const deciding = entry.evidence.find(({ pValue }) => pValue !== null && pValue === entry.pValue)
    return deciding ? `Neither accused nor cleared: ${showText(deciding.says, 420)}` : 'Neither accused nor cleared'
  }
  if (entry.verdict === 'multimodal') return `More than one natural group; nothing that looks planted${seen}`
  return `Nothing that looks planted${seen}`
}

export const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`
