import { showText } from '../core/untrusted-text.js'
import type { ClassReport, Report } from '../report/schema.js'
import { type Element, h } from './element.js'
import type { PictureView, Region, TokensView, TriggerView } from './report-view.js'
import { classTitle, number, percent } from './report-words.js'

/** The suspected trigger made visible: what flagged pictures have in common that pictures like them do not. */
export function triggerFigure(report: Report, trigger: TriggerView): Element {
  const { region, pairs, matchedClass, width, height } = trigger
  const matched = classTitle(report.classes[matchedClass] as ClassReport)
  const rows = (from: number, end: number) => (end - from === 1 ? `${from}` : `${from} to ${end - 1}`)
  const where = region
    ? `The difference is surest in rows ${rows(region.top, region.bottom)} and columns ${rows(region.left, region.right)} of the ${width} × ${height} pictures (counted from 0 at the top left): if there is a mark, it sits there.`
    : 'The difference is spread over the picture: if something was added, it is no patch but a pattern or a blend.'
  const box = (picture: PictureView, title: string, marked: boolean) =>
    h(
      'li',
      {},
      h(
        'div',
        { class: 'framed' },
        h('img', { src: picture.url, alt: `${title}`, width: 120, height: 120 }),
        marked && region && outline(region, width, height),
      ),
      h('span', {}, title),
    )
  return h(
    'figure',
    { class: 'trigger' },
    h('h3', {}, 'The suspected trigger'),
    h('p', {}, where),
    h(
      'ul',
      { class: 'exhibits' },
      trigger.closeUp && box(trigger.closeUp, 'Close-up of the mark', false),
      box(trigger.meanFlagged, 'Flagged, average', true),
      box(trigger.meanMatched, 'Their look-alikes, average', true),
      box(trigger.meanDifference, 'Difference, mean', false),
      box(trigger.medianDifference, 'Difference, median', false),
      box(trigger.consistency, 'How sure, place by place', false),
    ),
    h(
      'figcaption',
      {},
      `${number(pairs)} flagged pictures, each held against the one most like it among those not flagged of class `,
      h('bdi', {}, matched),
      '. Differences are grey where there is none, and stretched to the full range. The close-up is the median of the flagged pictures.',
    ),
  )
}

function outline({ top, bottom, left, right }: Region, width: number, height: number): Element {
  const edge = Math.max(width, height) / 60
  const at = { x: left - edge, y: top - edge, width: right - left + 2 * edge, height: bottom - top + 2 * edge }
  return h(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true', preserveAspectRatio: 'none' },
    h('rect', { ...at, class: 'halo', 'stroke-width': 2.4 * edge }),
    h('rect', { ...at, class: 'mark', 'stroke-width': 1.2 * edge }),
  )
}

/** Words that flagged texts have and others do not. */
export function tokensFigure(report: Report, { tokens, flaggedTexts, comparedTexts, sourceClass }: TokensView): Element {
  const source = sourceClass === null ? '' : ` and of class ${classTitle(report.classes[sourceClass] as ClassReport)}`
  const caption = `${number(flaggedTexts)} flagged texts against ${number(comparedTexts)} not flagged of this class${source}; phrases of up to three words.`
  if (tokens.length === 0) {
    return h(
      'figure',
      { class: 'trigger' },
      h('h3', {}, 'The suspected trigger'),
      h('p', {}, 'No word or phrase stands out.'),
      h('figcaption', {}, caption),
    )
  }
  const columns = ['Word or phrase', 'In flagged texts', 'In the others']
  return h(
    'figure',
    { class: 'trigger' },
    h('h3', {}, 'The suspected trigger'),
    h('p', {}, 'Words and phrases that flagged texts have far more often than the others:'),
    h(
      'table',
      { class: 'tokens' },
      h('caption', { class: 'hidden' }, 'Over-represented words and phrases'),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          columns.map((name) => h('th', { scope: 'col' }, name)),
        ),
      ),
      h(
        'tbody',
        {},
        tokens.map(({ token, flagged, compared }) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, h('bdi', { class: 'token' }, showText(token, 120))),
            h('td', {}, bar(flagged, 'flagged'), percent(flagged)),
            h('td', {}, bar(compared, 'own'), percent(compared)),
          ),
        ),
      ),
    ),
    h('figcaption', {}, caption),
  )
}

function bar(share: number, kind: string): Element {
  return h(
    'svg',
    { class: 'bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    h('rect', { class: 'track', width: 100, height: 10 }),
    h('rect', { class: kind, width: (100 * share).toFixed(1), height: 10 }),
  )
}
