import { showText } from '../core/untrusted-text.js'
import { type Element, h } from './element.js'
import type { ClassView, RowView } from './report-view.js'
import { number, percent } from './report-words.js'

/** Flagged rows beside typical ones that are not, as pictures or texts where there are some. */
export function rowGallery({ flagged, flaggedRows, typical }: ClassView): Element {
  const more = flaggedRows > flagged.length ? `, ${number(flagged.length)} of ${number(flaggedRows)} shown` : ''
  return h(
    'div',
    { class: 'galleries' },
    gallery(`Flagged rows, most suspicious first${more}`, flagged, 'flagged'),
    typical.length > 0 && gallery('Typical rows of the class, not flagged', typical, 'typical'),
  )
}

function gallery(title: string, rows: readonly RowView[], kind: string): Element {
  const hasText = rows.some(({ text }) => text !== null)
  const hasPicture = rows.some(({ picture }) => picture !== null)
  const style = hasText ? 'texts' : hasPicture ? 'pictures' : 'numbers'
  // What scrolls has to be reached by keyboard.
  const scrolls = style !== 'pictures'
  return h(
    'div',
    { class: `gallery ${kind}` },
    h('h3', {}, title),
    rows.length === 0
      ? h('p', { class: 'note' }, 'None.')
      : h('ul', { class: style, tabindex: scrolls ? 0 : null, 'aria-label': scrolls ? title : null }, rows.map(rowItem)),
  )
}

function rowItem({ row, score, probability, picture, text }: RowView): Element {
  const said = [
    probability === null ? '' : `planted with probability ${percent(probability)}`,
    score === null ? '' : `suspicion ${score.toFixed(2)}`,
  ].filter(Boolean)
  return h(
    'li',
    { title: said.join(', ') || null },
    picture &&
      h('img', {
        src: picture.url,
        alt: `Picture of row ${row}`,
        'data-row': row,
        width: 64,
        height: 64,
        loading: 'lazy',
        decoding: 'async',
      }),
    h('span', { class: 'row' }, String(row)),
    text !== null && h('bdi', { class: 'text', 'data-row': row }, text === '' ? '(empty)' : showText(text, 600)),
  )
}
