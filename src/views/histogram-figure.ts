import { type Element, h } from './element.js'
import type { HistogramView } from './report-view.js'
import { amount, number } from './report-words.js'

const width = 480
const height = 120

/** How suspicious the rows of a class are, flagged ones hatched, with the cut between. */
export function histogramFigure({ low, high, flagged, unflagged, cut }: HistogramView): Element {
  const most = Math.max(1, ...flagged.map((count, bin) => count + (unflagged[bin] as number)))
  const step = width / flagged.length
  // A single row among thousands still shows.
  const tall = (count: number) => (count === 0 ? 0 : Math.max(2, (height * count) / most))
  // One path for all bars of a kind: a report has many histograms.
  const bars = (counts: readonly number[], below: readonly number[]) =>
    counts
      .map((count, bin) => {
        if (count === 0) return ''
        const foot = (height - tall(below[bin] ?? 0)).toFixed(1)
        return `M${(bin * step + 0.5).toFixed(1)} ${foot}v-${tall(count).toFixed(1)}h${(step - 1).toFixed(1)}V${foot}z`
      })
      .join('')
  const cutAt = cut && high > low ? ((width * (cut.score - low)) / (high - low)).toFixed(1) : null
  const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0)
  const says = cut
    ? `The lowest score of a flagged row is ${cut.score.toFixed(2)} (dashed line); ${number(cut.unflaggedAbove)} of the ${amount(total(unflagged), 'row')} not flagged ${cut.unflaggedAbove === 1 ? 'reaches' : 'reach'} it.`
    : 'No row is flagged.'
  return h(
    'figure',
    { class: 'histogram' },
    h('h3', {}, 'Suspicion of its rows'),
    h(
      'svg',
      {
        viewBox: `0 0 ${width} ${height}`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': `Histogram of combined suspicion from ${low.toFixed(2)} to ${high.toFixed(2)}. ${says}`,
      },
      h('path', { class: 'own', d: bars(unflagged, []) }),
      h('path', { class: 'flagged', d: bars(flagged, unflagged) }),
      cutAt && h('line', { class: 'cut', x1: cutAt, x2: cutAt, y1: 0, y2: height, 'vector-effect': 'non-scaling-stroke' }),
    ),
    h(
      'div',
      { class: 'ends', 'aria-hidden': 'true' },
      h('span', {}, low.toFixed(2)),
      h('span', {}, 'suspicion'),
      h('span', {}, high.toFixed(2)),
    ),
    h(
      'ul',
      { class: 'legend' },
      h(
        'li',
        {},
        h('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' }, h('rect', { class: 'own', width: 12, height: 12 })),
        'not flagged',
      ),
      total(flagged) > 0 &&
        h(
          'li',
          {},
          h('svg', { viewBox: '0 0 12 12', 'aria-hidden': 'true' }, h('rect', { class: 'flagged', width: 12, height: 12 })),
          'flagged',
        ),
    ),
    h('figcaption', {}, says),
  )
}
