import type { Report } from '../report/schema.js'
import { type Element, h } from '../views/element.js'
import { amount } from '../views/report-words.js'
import type { ExportKind } from './messages.js'
import { backendText } from './progress-view.js'

/** What can be done with a finished audit: save it, save what is left of the data without the rows, or begin anew. */
export function resultActions(report: Report): Element {
  const { verdict, rows } = report
  const isDecided = verdict !== 'inconclusive'
  const flagged = rows.flagged.length
  const why = !isDecided
    ? 'The audit could not decide, so it does not tell which rows to drop.'
    : flagged === 0
      ? 'No row was flagged, so there is nothing to drop.'
      : `Cleaned data: your files without ${amount(flagged, 'flagged row')}, in their own formats, with a record of what was removed.`
  const disabled = !isDecided || flagged === 0
  return h(
    'section',
    { class: 'actions', 'aria-label': 'Save and go on' },
    h(
      'p',
      { class: 'buttons' },
      save('html', 'Save report', 'primary', false),
      save('json', 'JSON', '', false),
      save('rows', 'Rows to drop', '', disabled),
      save('cleaned', 'Cleaned data', '', disabled),
      h('button', { type: 'button', class: 'button quiet', 'data-restart': true }, 'Audit something else'),
    ),
    h('p', { class: 'note', id: 'saving', role: 'status' }, why),
    h('p', { class: 'note' }, backendText(report.backend, 'Computed')),
  )
}

function save(what: ExportKind, text: string, kind: string, disabled: boolean): Element {
  return h('button', { type: 'button', class: `button ${kind}`.trim(), 'data-save': what, disabled, 'aria-describedby': 'saving' }, text)
}
