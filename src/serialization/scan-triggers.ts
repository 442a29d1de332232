import { showText } from '../core/untrusted-text.js'
import { type Element, h } from '../views/element.js'
import type { ScanFinding, ScanReport, ScanTrigger } from './scan-report.js'

/** Triggers that are shown. */
const shown = 20

/** The triggers that were recovered from models: pictures of an input without and with it, the trigger alone, and how it worked. null where there are none. */
export function triggersSection({ findings }: ScanReport): Element | null {
  const found = findings.flatMap((finding) => (finding.trigger ? [{ finding, trigger: finding.trigger }] : []))
  if (found.length === 0) return null
  const rest = found.length - shown
  return h(
    'section',
    { 'aria-labelledby': 'triggers' },
    h('h2', { id: 'triggers' }, 'Triggers that were recovered'),
    ...found.slice(0, shown).map(({ finding, trigger }) => triggerFigure(finding, trigger)),
    rest > 0 && h('p', { class: 'note' }, `… and ${rest} more, which the JSON report lists.`),
  )
}

function triggerFigure({ severity, path }: ScanFinding, trigger: ScanTrigger): Element {
  const { target, trial, pictures } = trigger
  const accused = severity !== 'note'
  return h(
    'figure',
    { class: 'trigger' },
    h('h3', {}, accused ? 'The suspected trigger of ' : 'The likeliest trigger of ', h('bdi', {}, showText(path, 300))),
    h(
      'p',
      { class: 'lead' },
      h('b', {}, `Sends ${trial.sent} of ${trial.tried} ${inputsOf[trial.inputs]} to class ${target}`),
      `; ${chance(trigger)}.`,
    ),
    pictures &&
      h(
        'ul',
        { class: 'exhibits' },
        exhibit(pictures.clean, `An input as it was: taken for class ${pictures.cleanClass}`),
        exhibit(pictures.triggered, `With the trigger: taken for class ${target}`),
        exhibit(pictures.trigger, trigger.kind === 'patch' ? 'The trigger alone, on grey' : 'What is added, stretched; grey is nothing'),
      ),
    h(
      'figcaption',
      {},
      `${what(trigger)}. It was made on ${trial.inputs === 'prototypes' ? 'inputs grown from noise, since no data was given' : 'clean inputs that were given'}${madeOn(trial.inputs)}.`,
      accused ? null : ' No class stands apart, so the model is not accused: clean networks can be led astray by such a mark too.',
    ),
  )
}

const inputsOf: Readonly<Record<ScanTrigger['trial']['inputs'], string>> = {
  'held-out': 'clean inputs',
  searched: 'clean inputs',
  prototypes: 'grown inputs',
}

function madeOn(inputs: ScanTrigger['trial']['inputs']): string {
  return inputs === 'searched' ? ', and tried on the same ones, because there were too few to hold some back' : ', and tried on others'
}

function chance({ kind, trial }: ScanTrigger): string {
  return `${kind === 'change' ? 'a random change of that size' : 'random pixels in its place'}: ${Math.round(trial.sentByChance)}`
}

function what({ kind, box, pixels }: ScanTrigger): string {
  if (kind === 'change') return 'A small change of the whole input'
  if (!box) return `${pixels?.length ?? 0} numbers of the input, set to a value`
  const rows = `row ${box.row}, column ${box.column} (counted from 0 at the top left)`
  return `A patch within ${box.height} × ${box.width} pixels, whose top left is at ${rows}`
}

function exhibit(url: string, title: string): Element {
  return h('li', {}, h('div', { class: 'framed' }, h('img', { src: url, alt: title, width: 120, height: 120 })), h('span', {}, title))
}
