import { showText } from '../core/untrusted-text.js'
import type { ClassReport, Report } from '../report/schema.js'
import { accusedSection, otherClass } from './class-section.js'
import { classTable } from './class-table.js'
import { type Element, h } from './element.js'
import type { ClassView, ReportView } from './report-view.js'
import { amount, number } from './report-words.js'
import { verdictSection } from './verdict.js'

const mostListedRows = 500
const mostListedFiles = 200

/** A report as a page of its own, top to bottom: a header, the main part and a footer. */
export function reportPage(view: ReportView): Element[] {
  const version = showText(view.report.tool.version, 20)
  return [
    h('a', { class: 'skip', href: '#main' }, 'To the verdict'),
    h('header', {}, h('p', {}, h('b', {}, 'Assay'), ' · audit of training data'), h('p', { class: 'note' }, `version ${version}`)),
    h('main', { id: 'main', tabindex: -1 }, reportSections(view)),
    h('footer', {}, h('p', {}, `Made by Assay ${version}. This file holds everything it shows and asks nothing of a network.`)),
  ]
}

/** Everything that a report shows, section by section, the verdict first. */
export function reportSections(view: ReportView): Element[] {
  const { report, classes } = view
  const detailed = new Set(classes.map(({ index }) => index))
  const isAccused = (index: number) => ['poisoned', 'suspicious'].includes((report.classes[index] as ClassReport).verdict)
  const accused = classes.filter(({ index, flaggedRows }) => isAccused(index) || flaggedRows > 0)
  const others = classes.filter((one) => !accused.includes(one))
  return [
    verdictSection(report, detailed),
    classTable(report, detailed),
    ...accused.map((one) => accusedSection(report, one)),
    ...(report.rows.flagged.length > 0 ? [flaggedList(report)] : []),
    ...(others.length > 0 ? [otherClasses(view, others, accused.length > 0)] : []),
    method(view),
  ]
}

function otherClasses({ report, moreClasses }: ReportView, others: readonly ClassView[], someAccused: boolean): Element {
  return h(
    'section',
    { 'aria-labelledby': 'others' },
    h('h2', { id: 'others' }, someAccused ? 'Classes that were not accused' : 'The classes, one by one'),
    others.map((one) => otherClass(report, one)),
    moreClasses > 0 &&
      h('p', { class: 'note' }, `${number(moreClasses)} more of the classes ${moreClasses === 1 ? 'is' : 'are'} only in the table.`),
  )
}

function flaggedList({ rows }: Report): Element {
  const listed = rows.flagged.slice(0, mostListedRows)
  const left = rows.flagged.length - listed.length
  return h(
    'details',
    { class: 'other' },
    h('summary', {}, 'Numbers of all flagged rows', h('span', { class: 'count' }, number(rows.flagged.length))),
    h(
      'p',
      { class: 'numbers' },
      listed.join(', '),
      left > 0 ? ` … and ${number(left)} more: the JSON report has them all, with reasons.` : '',
    ),
  )
}

/** How it was computed, for whoever wants to check or repeat it. */
function method({ report, damagedPictures }: ReportView): Element {
  const { input, backend, seed, detectors } = report
  const files = input.files.slice(0, mostListedFiles)
  const facts: [string, string | Element][] = [
    ['Input digest', h('code', {}, showText(input.digest, 80))],
    ['Seed', String(seed)],
    ['Computed on', `${backend.name} (${showText(backend.adapter, 80)})`],
    ...(damagedPictures > 0
      ? [
          ['Pictures', `${amount(damagedPictures, 'picture')} could not be read and ${damagedPictures === 1 ? 'is' : 'are'} left out`] as [
            string,
            string,
          ],
        ]
      : []),
  ]
  return h(
    'section',
    { class: 'method', 'aria-labelledby': 'method' },
    h('h2', { id: 'method' }, 'How this was found'),
    h(
      'dl',
      {},
      facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
    ),
    h('h3', {}, 'Detectors'),
    h(
      'ul',
      {},
      detectors.map(({ id, status, reason }) =>
        h(
          'li',
          {},
          h('b', {}, showText(id, 30)),
          status === 'ran' ? `: ${showText(reason, 400)}` : `: ${status}: ${showText(reason, 400)}`,
        ),
      ),
    ),
    files.length > 0 &&
      h(
        'details',
        {},
        h('summary', {}, `SHA-256 of the ${amount(input.files.length, 'file')} read`),
        h(
          'ul',
          { class: 'files' },
          files.map(({ name, sha256 }) => h('li', {}, h('bdi', {}, showText(name, 120)), ' ', h('code', {}, showText(sha256, 64)))),
        ),
      ),
    h('details', {}, h('summary', {}, 'Options in effect'), h('pre', { tabindex: 0 }, optionsText(report))),
  )
}

function optionsText({ options }: Report): string {
  return JSON.stringify(options, null, 2)
    .slice(0, 8_000)
    .split('\n')
    .map((line) => showText(line, 200))
    .join('\n')
}
