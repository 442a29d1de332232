import { type Element, h } from '../views/element.js'
import type { Settings } from './messages.js'

const backends = {
  auto: 'The graphics card if there is one, else the processor',
  'auto-software': 'The same, and a graphics card that is only software too (slow)',
  webgpu: 'WebGPU or nothing',
  cpu: 'The processor',
} as const

const mebibyte = 2 ** 20
const memories = {
  auto: 'Let Assay choose',
  [64 * mebibyte]: '64 MB',
  [256 * mebibyte]: '256 MB',
  [1024 * mebibyte]: '1 GB',
  [4096 * mebibyte]: '4 GB',
}

/** What can be set before an audit, folded away: the defaults are right for nearly everybody. */
export function settingsView(): Element {
  return h(
    'details',
    { class: 'settings', id: 'settings' },
    h('summary', {}, 'Settings'),
    h(
      'div',
      { class: 'fields' },
      field('backend', 'Compute on', choice('backend', backends), 'No verdict depends on it.'),
      field(
        'memory',
        'Memory for activations',
        choice('memory', memories),
        'Larger sets are read again and again, in pieces: slower, and within this.',
      ),
      field(
        'rate',
        'False alarms',
        h('input', { id: 'rate', type: 'number', min: '0.0001', max: '0.5', step: 'any', value: '0.01' }),
        'The chance that a clean set is accused. 0.01 is one in a hundred.',
      ),
      field('seed', 'Seed', h('input', { id: 'seed', type: 'number', step: 1, value: '0' }), 'The same seed gives the same report.'),
    ),
    h('p', { class: 'note', id: 'compute' }, 'Looking at what this browser offers …'),
  )
}

function field(id: string, title: string, control: Element, help: string): Element {
  const described = { ...control, attributes: { ...control.attributes, 'aria-describedby': `${id}-help` } }
  return h('div', { class: 'field' }, h('label', { for: id }, title), described, h('p', { class: 'note', id: `${id}-help` }, help))
}

function choice(id: string, options: Readonly<Record<string, string>>): Element {
  return h(
    'select',
    { id },
    Object.entries(options)
      .sort(([a], [b]) => Number(b === 'auto') - Number(a === 'auto'))
      .map(([value, text]) => h('option', { value }, text)),
  )
}

/** What is set now; a number that is none, or out of its range, counts as the default. */
export function readSettings(document: Document): Settings {
  const textOf = (id: string) => (document.getElementById(id) as HTMLInputElement | HTMLSelectElement).value
  const numberOf = (id: string, isRight: (value: number) => boolean, otherwise: number) => {
    const value = Number(textOf(id))
    return textOf(id) !== '' && isRight(value) ? value : otherwise
  }
  const backend = textOf('backend')
  return {
    backend: backend === 'auto-software' ? 'auto' : (backend as Settings['backend']),
    softwareAdapters: backend === 'auto-software',
    seed: numberOf('seed', Number.isSafeInteger, 0),
    falseAccusationRate: numberOf('rate', (value) => value > 0 && value < 1, 0.01),
    memory: textOf('memory') === 'auto' ? null : Number(textOf('memory')),
  }
}
