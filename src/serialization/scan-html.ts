import { showText } from '../core/untrusted-text.js'
import { style, styleHash } from '../report/page.gen.js'
import { type Element, h, toMarkup } from '../views/element.js'
import { verdictMark } from '../views/verdict.js'
import type { ScanFinding, ScanReport } from './scan-report.js'
import { triggersSection } from './scan-triggers.js'
import { findingPlace, scanAdvice, scanHeadline } from './scan-words.js'

const listed = 1000

/**
 * The report of a scan as one HTML file that asks for nothing else and runs nothing: its content security policy lets in the style that it
 * holds, by its hash, the pictures that stand in it, if any, and no script. Pure. Names in it may be an attacker's: they are capped, escaped, and written as text.
 */
export function renderScanHtml(report: ScanReport): string {
  const pictures = report.findings.some(({ trigger }) => trigger?.pictures) ? ['img-src data:'] : []
  const policy = ["default-src 'none'", `style-src '${styleHash}'`, ...pictures, "base-uri 'none'", "form-action 'none'"].join('; ')
  const head = [
    h('meta', { charset: 'utf-8' }),
    h('meta', { 'http-equiv': 'Content-Security-Policy', content: policy }),
    h('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    h('meta', { name: 'referrer', content: 'no-referrer' }),
    h('meta', { name: 'color-scheme', content: 'light dark' }),
    h('title', {}, `Assay scan: ${report.verdict}`),
  ]
  return `<!doctype html>
<html lang="en">
<head>
${head.map(toMarkup).join('\n')}
<style>${style}</style>
</head>
<body>
${[
  h('header', {}, h('p', {}, h('b', {}, 'Assay'), ' · scan of model files')),
  h('main', { id: 'main' }, summary(report), triggersSection(report), findingsSection(report), classesSection(report)),
]
  .map(toMarkup)
  .join('\n')}
</body>
</html>
`
}

function summary(report: ScanReport): Element {
  const sentence = scanHeadline(report)
  const advice = scanAdvice(report)
  return h(
    'section',
    { class: `summary ${report.verdict}`, 'aria-labelledby': 'verdict' },
    h('p', { class: 'kicker' }, 'Verdict'),
    h('h1', { id: 'verdict' }, verdictMark(report.verdict), ' ', capital(sentence)),
    h('p', { class: 'meaning' }, capital(advice)),
    h('p', { class: 'note' }, `Score ${report.score.toFixed(2)} of 1; no code in the files was run for this.`),
  )
}

function findingsSection({ findings }: ScanReport): Element | null {
  if (findings.length === 0) return null
  const row = (finding: ScanFinding) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row', class: 'nowrap' }, finding.severity),
      h('td', {}, h('code', {}, showText(finding.id, 60)), h('br'), h('bdi', {}, findingPlace(finding))),
      h('td', {}, showText(finding.says, 800)),
      h('td', {}, showText(finding.fix, 400)),
    )
  const rest = findings.length - listed
  return h(
    'section',
    { 'aria-labelledby': 'findings' },
    h('h2', { id: 'findings' }, 'Findings'),
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h('tr', {}, ...['Severity', 'Finding', 'What was found', 'What to do'].map((name) => h('th', { scope: 'col' }, name))),
      ),
      h('tbody', {}, findings.slice(0, listed).map(row)),
    ),
    rest > 0 && h('p', { class: 'note' }, `… and ${rest} more, which the JSON report lists.`),
  )
}

function classesSection({ classes, target }: ScanReport): Element | null {
  if (classes.length === 0) return null
  const items = classes
    .slice(0, listed)
    .map(({ label, pValue }) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, h('bdi', {}, showText(label))),
        h('td', {}, pValue === null ? 'not tested' : `p = ${pValue.toPrecision(2)}`),
      ),
    )
  return h(
    'section',
    { 'aria-labelledby': 'classes' },
    h('h2', { id: 'classes' }, 'Classes of the model'),
    h('p', {}, `A backdoor would most likely lead to class ${target}.`),
    h('table', {}, h('tbody', {}, items)),
  )
}

const capital = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`
