import { showText } from '../core/untrusted-text.js'
import { type Element, h } from '../views/element.js'

const mostCharacters = 4000

/** What went wrong, and what to do. The message may quote an attacker's file: it is shown as text. */
export function problemView({ message, isInput }: { readonly message: string; readonly isInput: boolean }, canCheck: boolean): Element {
  const lines = message.slice(0, mostCharacters).split('\n').slice(0, 40)
  return h(
    'section',
    { class: 'problem', role: 'alert', id: 'problem', tabindex: -1 },
    h('h2', {}, isInput ? 'These files cannot be audited as they are' : 'The audit did not finish'),
    lines.map((line) => h('p', {}, showText(line, 2000))),
    canCheck && h('p', { class: 'buttons' }, h('button', { type: 'button', class: 'button', 'data-check': true }, 'Check what is what')),
  )
}
