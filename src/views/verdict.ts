import type { ClassVerdict, Report, ReportVerdict } from '../report/schema.js'
import { type Element, h } from './element.js'
import { amount, classTitle, headline } from './report-words.js'

/** Signs as paths in a square of 12: not every font has them. */
const signs: Readonly<Record<ClassVerdict, string>> = {
  poisoned: 'M3 3 L9 9 M9 3 L3 9',
  suspicious: 'M6 2 V7.2 M6 9.6 V10',
  inconclusive: 'M3.6 4.2 A2.4 2.4 0 1 1 6 6.6 V7.4 M6 9.6 V10',
  multimodal: 'M2 4.8 Q4 2.8 6 4.8 T10 4.8 M2 8 Q4 6 6 8 T10 8',
  clean: 'M2.5 6.5 L5 9 L9.5 3.5',
}

/** The id of a class's section. */
export const classId = (index: number) => `class-${index}`

/** A verdict as a word and a sign, so that it does not hang on colour. */
export function verdictMark(verdict: ClassVerdict): Element {
  return h(
    'span',
    { class: `verdict ${verdict}` },
    h('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' }, h('path', { d: signs[verdict] })),
    verdict,
  )
}

const meanings: Readonly<Record<ReportVerdict, string>> = {
  poisoned:
    'Someone seems to have planted rows in this data that teach a model a hidden rule: show it a certain mark and it answers what they chose. Such a model passes ordinary tests.',
  suspicious:
    'Some rows stand apart in the way planted rows do. Natural sub-groups can look like this too, so this needs a person to look before anything is decided.',
  inconclusive:
    'This is not an all-clear. Too much of the data could not be judged, because there were too few rows, no trusted rows to hold them against, or a detector failed.',
  clean:
    'Every class was examined and none stands out beyond the stated rate of false alarms. Very small or well-hidden plants can stay below what an audit sees.',
}

const steps: Readonly<Record<ReportVerdict, readonly string[]>> = {
  poisoned: [
    'Do not train on this data, and do not ship a model that was trained on it.',
    'Look at the flagged rows below and find out where they came from.',
    'Take the rows out (assay sanitize), audit what is left, and train again from the start.',
  ],
  suspicious: [
    'Hold training and release until the flagged rows below were looked at.',
    'If they belong together naturally, say so in your records; if they were planted, take them out (assay sanitize) and train again.',
    'Rows that are known to be clean (a hundred of each class) make the next audit surer.',
  ],
  inconclusive: [
    'Do not treat this data as clean.',
    'Add what was missing (below, class by class), above all a hundred rows of each class that are known to be clean.',
    'Audit again.',
  ],
  clean: ['Nothing is called for.', 'Keep this report with the data; audit again when rows are added.'],
}

const mostJumps = 12

/** The verdict of the whole audit, what it means and what to do next, and ways to the accused classes that have a section (`detailed`). */
export function verdictSection(report: Report, detailed: ReadonlySet<number>): Element {
  const { rows, features, classes, files } = report.input
  const accused = [...report.classes.entries()].filter(
    ([index, { verdict }]) => detailed.has(index) && (verdict === 'poisoned' || verdict === 'suspicious'),
  )
  const sentence = headline(report)
  const from = files.length > 0 ? `, from ${amount(files.length, 'file')}` : ''
  return h(
    'section',
    { class: `summary ${report.verdict}`, 'aria-labelledby': 'verdict' },
    h('p', { class: 'kicker' }, 'Verdict'),
    h('h1', { id: 'verdict' }, verdictMark(report.verdict), ' ', `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}`),
    h('p', { class: 'meaning' }, meanings[report.verdict]),
    h('h2', { class: 'small' }, 'What to do next'),
    h(
      'ol',
      {},
      steps[report.verdict].map((step) => h('li', {}, step)),
    ),
    accused.length > 0 &&
      h(
        'ul',
        { class: 'jumps', 'aria-label': 'Accused classes' },
        accused
          .slice(0, mostJumps)
          .map(([index, entry]) => h('li', {}, h('a', { href: `#${classId(index)}` }, h('bdi', {}, `See class ${classTitle(entry)}`)))),
      ),
    h('p', { class: 'note' }, `Audited: ${amount(rows, 'row')}, ${amount(features, 'feature')}, ${amount(classes, 'class')}${from}.`),
  )
}
