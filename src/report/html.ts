import { type DrawnParts, drawnParts } from '../views/drawn-parts.js'
import { type Element, h, toMarkup } from '../views/element.js'
import { reportPage } from '../views/report-page.js'
import type { ReportView } from '../views/report-view.js'
import { program, programHash, style, styleHash } from './page.gen.js'

/**
 * A report as one HTML file that asks for nothing else: its content security policy lets in no source but the style and the program
 * that it holds, by their hashes, and pictures in `data:` URLs. Pure; the same view gives the same text. Names and texts in it may be an
 * attacker's: they are capped, what drives a display is escaped, and all of them are written as text.
 */
export function renderHtml(view: ReportView): string {
  const { verdict } = view.report
  const policy = [
    "default-src 'none'",
    `script-src '${programHash}'`,
    `style-src '${styleHash}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  const head = [
    h('meta', { charset: 'utf-8' }),
    h('meta', { 'http-equiv': 'Content-Security-Policy', content: policy }),
    h('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
    h('meta', { name: 'referrer', content: 'no-referrer' }),
    h('meta', { name: 'color-scheme', content: 'light dark' }),
    h('title', {}, `Assay report: ${verdict}`),
  ]
  const markup = (elements: readonly Element[]) => elements.map(toMarkup).join('\n')
  return `<!doctype html>
<html lang="en">
<head>
${markup(head)}
<style>${style}</style>
</head>
<body>
${markup(reportPage(view))}
<noscript><p>Scatter plots and sorting need scripts, which are off here.</p></noscript>
<script type="application/json" id="drawn">${dataBlock(drawnParts(view))}</script>
<script>${program}</script>
</body>
</html>
`
}

/** JSON that cannot end the element that holds it, whatever its strings are. */
function dataBlock(value: DrawnParts): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
