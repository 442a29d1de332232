import type { ClassReport, Report } from '../report/schema.js'
import { type Element, h } from './element.js'
import type { PointKind, ScatterView } from './report-view.js'
import { classTitle, number } from './report-words.js'

/** The frame of a scatter; `scatterPlot` draws in it and makes it answer. */
export function scatterFigure(report: Report, index: number, view: ScatterView): Element {
  const entry = report.classes[index] as ClassReport
  const source = report.classes.find(({ label }) => label === entry.sourceLabel)
  const evidence = view.axes === 'evidence'
  const id = `scatter-${index}`
  const drawn =
    view.drawn < view.rows ? `${number(view.drawn)} of its ${number(view.rows)} rows` : `All ${number(view.rows)} rows of the class`
  const across = evidence ? 'the direction that best parts flagged rows from the rest' : 'the direction in which the class varies most'
  const up = evidence ? 'the direction in which they vary most besides' : 'the next'
  const flattered = evidence ? ' It was fitted to these rows, so the gap looks somewhat wider than new rows would show.' : ''
  const compared = report.classes.length > 1 ? ' Rows of other classes are a sample, for comparison.' : ''
  const kinds: (readonly [PointKind, string])[] = [
    ...(evidence ? ([['flagged', 'flagged']] as const) : []),
    ['own', evidence ? 'not flagged' : 'the class'],
    ...(source ? ([['source', `class ${classTitle(source, 24)}`]] as const) : []),
    ...(report.classes.length > (source ? 2 : 1) ? ([['other', 'other classes']] as const) : []),
  ]
  return h(
    'figure',
    { class: 'scatter', 'data-scatter': index },
    h('h3', {}, 'Where its rows lie'),
    h(
      'div',
      { class: 'tools', role: 'toolbar', 'aria-label': 'Tools of the scatter plot' },
      tool('select', 'Lasso', 'Draw around points to list their rows', false),
      tool('move', 'Move', 'Drag to move the picture', false),
      tool('in', '+', 'Zoom in', null),
      tool('out', '−', 'Zoom out', null),
      tool('reset', 'Reset', 'Show everything again', null),
      evidence && tool('flagged', 'Select flagged', 'Select all flagged rows that are drawn', null),
      tool('clear', 'Clear', 'Clear the selection', null),
    ),
    h(
      'div',
      { class: 'stage' },
      h('canvas', {
        tabindex: 0,
        role: 'application',
        'aria-roledescription': 'scatter plot',
        'aria-label': `Scatter plot of class ${classTitle(entry)}`,
        'aria-describedby': `${id}-help`,
      }),
      h('div', { class: 'tip', hidden: true }),
    ),
    h(
      'ul',
      { class: 'legend' },
      kinds.map(([kind, name]) => h('li', {}, pointShape(kind), h('bdi', {}, name))),
    ),
    h(
      'p',
      { class: 'help', id: `${id}-help` },
      'Keys: arrows move the cross, + and − zoom, 0 resets, N goes to the next flagged row; space drops a corner of a lasso, Enter closes it, Escape clears. Ctrl and wheel, or two fingers, zoom.',
    ),
    h('p', { class: 'hidden', 'aria-live': 'polite', 'data-live': true }),
    h('div', { class: 'selection', 'data-selection': true }),
    h('figcaption', {}, `${drawn}, in standard deviations: across, ${across}; up, ${up}.${flattered}${compared}`),
  )
}

function tool(name: string, label: string, title: string, pressed: boolean | null): Element {
  return h(
    'button',
    {
      type: 'button',
      'data-tool': name,
      title,
      'aria-label': label.length < 2 ? title : null,
      'aria-pressed': pressed === null ? null : String(pressed),
    },
    label,
  )
}

/** The shape of a kind of point, as the canvas draws it. */
export function pointShape(kind: PointKind): Element {
  const shapes: Readonly<Record<PointKind, Element>> = {
    flagged: h('path', { class: 'flagged', d: 'M6 1 L11.5 10.5 L0.5 10.5 Z' }),
    own: h('circle', { class: 'own', cx: 6, cy: 6, r: 3.2 }),
    source: h('rect', { class: 'source', x: 2, y: 2, width: 8, height: 8 }),
    other: h('path', { class: 'other', d: 'M2.5 2.5 L9.5 9.5 M9.5 2.5 L2.5 9.5' }),
  }
  return h('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' }, shapes[kind])
}
