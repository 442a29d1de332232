// The program of the page's worker: all reading and computing is done here. One audit at a time; to cancel, the page ends the worker.
import type { BackendChoice } from '../core/backend.js'
import { AssayError, InputError } from '../core/errors.js'
import { viewReport } from '../exhibits/view-report.js'
import { type AuditInput, auditWithScores, createContext } from '../index.js'
import { renderHtml } from '../report/html.js'
import { renderJson } from '../report/json.js'
import { sanitize } from '../sanitize/sanitize.js'
import type { ReportView } from '../views/report-view.js'
import { cleanedArchive } from './cleaned-archive.js'
import type { ExportKind, FromWorker, Selection, Settings, ToWorker } from './messages.js'
import { openSelection } from './open-selection.js'
import { surveyFile } from './survey-file.js'

interface Finished {
  readonly selection: Selection
  readonly set: AuditInput
  readonly view: ReportView
}

let finished: Finished | null = null
const tell = (message: FromWorker) => postMessage(message)

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  answer(data).catch((error: unknown) => tell(problemOf(error)))
})

async function answer(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'choose-backend':
      return tell({ kind: 'backend', choice: await chooseBackend(message.settings) })
    case 'survey':
      return tell({ kind: 'survey', files: await Promise.all(message.files.map(surveyFile)) })
    case 'audit':
      return runAudit(message.selection, message.settings)
    case 'export':
      if (!finished) throw new Error('unreachable: nothing was audited yet')
      return tell({ kind: 'file', ...(await exported(message.what, finished)) })
  }
}

/** What an audit with these settings would compute on. */
async function chooseBackend(settings: Settings): Promise<BackendChoice> {
  using context = await createContext(computeOptions(settings))
  return context.choice
}

async function runAudit(selection: Selection, settings: Settings): Promise<void> {
  finished = null
  const set = await openSelection(selection)
  const { rows, cols } = set.activations
  tell({ kind: 'opened', rows, features: cols, holds: whatIsThere(set) })
  tell({ kind: 'backend', choice: await chooseBackend(settings) })
  const { falseAccusationRate } = settings
  let said = -1
  const { report, scores } = await auditWithScores(set, {
    ...computeOptions(settings),
    falseAccusationRate,
    onProgress: (progress) => {
      // A page is not told more often than it can show.
      const share = Math.floor((200 * progress.done) / progress.total)
      if (share === said) return
      said = share
      tell({ kind: 'progress', progress })
    },
  })
  tell({ kind: 'progress', progress: { stage: 'view', done: 1, total: 1 } })
  const view = await viewReport(report, { set, scores })
  finished = { selection, set, view }
  tell({ kind: 'result', view })
}

function computeOptions({ backend, softwareAdapters, seed, memory }: Settings) {
  return { backend, softwareAdapters, seed, ...(memory === null ? {} : { memory }) }
}

function whatIsThere({ predictions, logits, trusted, classNames, images, texts }: AuditInput): string[] {
  const parts = { predictions, logits, 'trusted rows': trusted, 'class names': classNames, pictures: images, texts }
  return Object.entries(parts).flatMap(([name, part]) => (part ? [name] : []))
}

async function exported(what: ExportKind, { selection, set, view }: Finished): Promise<{ name: string; bytes: Blob }> {
  const { report } = view
  if (what === 'json') return { name: 'audit-report.json', bytes: new Blob([renderJson(report)], { type: 'application/json' }) }
  if (what === 'html') return { name: 'audit-report.html', bytes: new Blob([renderHtml(view)], { type: 'text/html' }) }
  const sanitized = await sanitize(set, report)
  if (sanitized.record.outcome === 'undecided') {
    const message = 'The audit does not tell which rows to drop: it could not decide enough of the data. Nothing was written.'
    throw new InputError('undecided', message)
  }
  if (what === 'rows') {
    const lines = Array.from(sanitized.drop, (row) => `${row}\n`)
    return { name: 'rows-to-drop.txt', bytes: new Blob(lines, { type: 'text/plain' }) }
  }
  return { name: 'cleaned.zip', bytes: await cleanedArchive(selection, { set, report, sanitized }) }
}

/** What went wrong, in words for the page; the data's fault, or ours. */
function problemOf(error: unknown): FromWorker {
  if (error instanceof AssayError) return { kind: 'problem', message: error.message, isInput: error instanceof InputError }
  const said = error instanceof Error ? error.message || error.name : String(error)
  return { kind: 'problem', message: `Something went wrong that is not the data's fault: ${said}`, isInput: false }
}
