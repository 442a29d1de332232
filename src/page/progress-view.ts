import type { BackendChoice, Progress } from '../core/backend.js'
import { showText } from '../core/untrusted-text.js'
import { type Element, h } from '../views/element.js'
import { amount, number } from '../views/report-words.js'

/** What is shown while an audit runs. */
export function progressView(): Element {
  return h(
    'section',
    { id: 'progress', class: 'card', 'aria-labelledby': 'progress-title' },
    h('h1', { id: 'progress-title', tabindex: -1 }, 'Auditing'),
    h('p', { id: 'what', class: 'note' }, 'Opening the files …'),
    h(
      'p',
      { class: 'meter' },
      h('progress', { id: 'bar', max: 1, value: 0, 'aria-labelledby': 'progress-title' }),
      h('output', { id: 'percent', for: 'bar' }, '0 %'),
    ),
    h('p', { id: 'step', role: 'status' }, 'Reading the files'),
    h('p', { id: 'where', class: 'note' }),
    h('p', { class: 'buttons' }, h('button', { type: 'button', class: 'button', 'data-cancel': true }, 'Cancel')),
  )
}

const stages: Readonly<Record<string, string>> = { upload: 'Reading the rows', view: 'Drawing the report' }

/** Detectors are called by their published names, which are their ids. */
export const stageText = (stage: string) => stages[stage] ?? `Running ${showText(stage, 40).replaceAll('-', ' ')}`

/** Shows how far an audit is. What is said aloud changes with the stage only. */
export function showProgress(document: Document, { stage, done, total }: Progress): void {
  const share = total > 0 ? done / total : 0
  const find = (id: string) => document.getElementById(id)
  const bar = find('bar') as HTMLProgressElement | null
  if (!bar) return
  bar.value = share
  const percent = `${Math.floor(100 * share)} %`
  setText(find('percent'), percent)
  setText(find('step'), stageText(stage))
  document.title = `${percent} · Assay`
}

export function showOpened(
  document: Document,
  { rows, features, holds }: { rows: number; features: number; holds: readonly string[] },
): void {
  const besides = holds.length > 0 ? `, with ${holds.join(', ')}` : ''
  setText(document.getElementById('what'), `${amount(rows, 'row')} of ${number(features)} features${besides}`)
}

/** Where it is computed, in the past or not, and why there. */
export function backendText({ name, adapter, reason }: BackendChoice, verb: 'Computes' | 'Computing' | 'Computed'): string {
  const where = name === 'webgpu' ? `on the graphics card: ${showText(adapter, 100)}` : `on the processor: ${showText(adapter, 100)}`
  return `${verb} ${where} (${showText(reason, 300)}).`
}

function setText(element: HTMLElement | null, text: string): void {
  if (element && element.textContent !== text) element.textContent = text
}
