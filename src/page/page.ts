// The program of the audit page: what people do, what the worker says, and what is shown of it. It reads no file and computes nothing.
import { activate } from '../views/activate.js'
import { drawnParts } from '../views/drawn-parts.js'
import { type Element, toNode } from '../views/element.js'
import { reportSections } from '../views/report-page.js'
import type { ReportView } from '../views/report-view.js'
import { type Assignment, assignRoles } from './assign-roles.js'
import { AuditWorker } from './audit-worker.js'
import { choicesView, readChoices, selectionOf } from './choices-view.js'
import { chosenFiles, droppedFiles } from './dropped-files.js'
import type { ExportKind, FromWorker, SurveyedFile } from './messages.js'
import { problemView } from './problem-view.js'
import { backendText, progressView, showOpened, showProgress } from './progress-view.js'
import { resultActions } from './result-view.js'
import { readSettings, settingsView } from './settings-view.js'
import { startView } from './start-view.js'

type State = 'start' | 'surveying' | 'choosing' | 'running' | 'finished'
/** What each state shows of the parts of the page. */
const shown: Readonly<Record<State, readonly string[]>> = {
  start: ['notice', 'intro', 'settings'],
  surveying: ['stage'],
  choosing: ['notice', 'stage', 'settings'],
  running: ['stage'],
  finished: ['result'],
}

const title = document.title
const find = (id: string) => document.getElementById(id) as HTMLElement
const worker = new AuditWorker(find('worker').textContent ?? '', hear)

let state: State = 'start'
let files: readonly File[] = []
let surveyed: readonly SurveyedFile[] = []
let assignment: Assignment = assignRoles([])
/** Ends when the report on the page is taken away. */
let report: AbortController | null = null

find('intro').append(toNode(document, startView()))
find('settings').append(toNode(document, settingsView()))
find('main').removeAttribute('hidden')
askBackend()

/** Changes what the page shows. `focus` is the id of what a screen reader is to read next. */
function enter(next: State, focus: string): void {
  state = next
  document.body.dataset.state = next
  for (const id of new Set(Object.values(shown).flat())) find(id).hidden = !shown[next].includes(id)
  if (next !== 'finished') {
    report?.abort()
    find('result').replaceChildren()
  }
  if (next === 'start' || next === 'choosing') document.title = title
  scrollTo(0, 0)
  find(focus).focus({ preventScroll: true })
}

function fill(id: string, ...elements: readonly Element[]): void {
  find(id).replaceChildren(...elements.map((element) => toNode(document, element)))
}

function start(): void {
  worker.stop()
  files = []
  surveyed = []
  fill('notice')
  fill('stage')
  enter('start', 'start-title')
}

function take(given: readonly File[]): void {
  if (given.length === 0 || state === 'running' || state === 'surveying') return
  const names = new Set(given.map(({ name }) => name))
  files = state === 'choosing' ? [...files.filter(({ name }) => !names.has(name)), ...given] : given
  if (state === 'finished') worker.stop()
  fill('notice')
  fill('stage', progressView())
  enter('surveying', 'progress-title')
  worker.post({ kind: 'survey', files })
}

function choose(): void {
  fill('stage', choicesView(surveyed, assignment))
  enter('choosing', 'choices-title')
}

function run(): void {
  fill('notice')
  fill('stage', progressView())
  enter('running', 'progress-title')
  worker.post({ kind: 'audit', selection: selectionOf(files, assignment), settings: readSettings(document) })
}

function cancel(): void {
  worker.stop()
  if (surveyed.length === 0) start()
  else choose()
}

function complain(problem: { readonly message: string; readonly isInput: boolean }): void {
  if (state === 'finished') {
    find('saving').textContent = problem.message
    return
  }
  const canCheck = surveyed.some((file) => file.problem === null)
  fill('notice', problemView(problem, canCheck))
  fill('stage')
  enter('start', 'problem')
}

/** Puts the report on the page section by section, each in a turn of its own: the page answers in between. */
async function showReport(view: ReportView): Promise<void> {
  enter('finished', 'result')
  const own = new AbortController()
  report = own
  const root = find('result')
  const [verdict, ...rest] = reportSections(view)
  for (const section of [verdict as Element, resultActions(view.report), ...rest]) {
    root.append(toNode(document, section))
    await new Promise((resolve) => setTimeout(resolve))
    if (own.signal.aborted) return
  }
  activate(root, drawnParts(view), own.signal)
  document.title = `${view.report.verdict} · Assay`
  root.dataset.complete = ''
}

function save(name: string, bytes: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(bytes)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  find('saving').textContent = `${name} was handed to the browser.`
}

function hear(message: FromWorker): void {
  switch (message.kind) {
    case 'backend': {
      find('compute').textContent = backendText(message.choice, 'Computes')
      if (state === 'running') find('where').textContent = backendText(message.choice, 'Computing')
      break
    }
    case 'survey':
      surveyed = message.files
      assignment = assignRoles(surveyed)
      if (assignment.isSure) run()
      else if (surveyed.some(({ problem }) => problem === null)) choose()
      else complain({ message: surveyed.map(({ problem }) => problem).join('\n'), isInput: true })
      break
    case 'opened':
      showOpened(document, message)
      break
    case 'progress':
      showProgress(document, message.progress)
      break
    case 'result':
      void showReport(message.view)
      break
    case 'file':
      save(message.name, message.bytes)
      break
    case 'problem':
      if (state === 'start' || state === 'choosing') find('compute').textContent = message.message
      else complain(message)
  }
}

function askBackend(): void {
  worker.post({ kind: 'choose-backend', settings: readSettings(document) })
}

document.addEventListener('click', ({ target }) => {
  const button = target instanceof globalThis.Element ? target.closest('button') : null
  if (!button) return
  const { dataset } = button
  if ('cancel' in dataset) cancel()
  else if ('restart' in dataset) start()
  else if ('check' in dataset) choose()
  else if (dataset.save) {
    find('saving').textContent = 'One moment …'
    worker.post({ kind: 'export', what: dataset.save as ExportKind })
  }
})

document.addEventListener('change', ({ target }) => {
  const { id } = target as HTMLElement
  if (target instanceof HTMLInputElement && target.type === 'file') {
    const given = chosenFiles(target)
    target.value = ''
    take(given)
  } else if (id === 'backend' && state !== 'running') askBackend()
  else if (id.startsWith('role-')) {
    // What is taken for what decides which keys have to be chosen.
    assignment = readChoices(document, surveyed, assignment).assignment
    fill('stage', choicesView(surveyed, assignment))
    find(id).focus()
  }
})

document.addEventListener('submit', (event) => {
  event.preventDefault()
  const choices = readChoices(document, surveyed, assignment)
  find('choices-problem').textContent = choices.problem ?? ''
  if (choices.problem !== null) return
  assignment = choices.assignment
  run()
})

// The whole window takes a drop: one beside the frame would otherwise open the file in place of the page.
let depth = 0
const over = (is: boolean) => document.body.classList.toggle('over', is)
document.addEventListener('dragenter', (event) => {
  event.preventDefault()
  depth++
  over(true)
})
document.addEventListener('dragleave', () => {
  depth = Math.max(0, depth - 1)
  over(depth > 0)
})
document.addEventListener('dragover', (event) => event.preventDefault())
document.addEventListener('drop', (event) => {
  event.preventDefault()
  depth = 0
  over(false)
  if (!event.dataTransfer) return
  droppedFiles(event.dataTransfer).then(take, () =>
    complain({ message: 'What was dropped could not be read. Choose the files in place of dropping them.', isInput: true }),
  )
})
