import type { DrawnParts } from './drawn-parts.js'
import { type ScatterPlot, scatterPlot } from './scatter-plot.js'
import { foldTables, sortTables } from './sort-tables.js'

/**
 * Makes a report (`reportSections`) under `root` answer: tables sort, scatters are drawn when they come into sight, links open what is
 * folded. Where the report is taken off the page again, `signal` ends all that listens.
 */
export function activate(root: HTMLElement, { scatters, classNames }: DrawnParts, signal?: AbortSignal): void {
  sortTables(root)
  foldTables(root)
  const plots = new Map<HTMLElement, ScatterPlot>()
  const draw = (figure: HTMLElement) => {
    const view = scatters[figure.dataset.scatter ?? '']
    if (view && !plots.has(figure)) plots.set(figure, scatterPlot(figure, view, classNames))
  }
  const figures = [...root.querySelectorAll<HTMLElement>('[data-scatter]')]
  const sight = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) if (isIntersecting) draw(target as HTMLElement)
    },
    { rootMargin: '400px' },
  )
  for (const figure of figures) sight.observe(figure)
  const redrawAll = () => {
    for (const plot of plots.values()) plot.redraw()
  }
  const until = signal ? { signal } : {}
  signal?.addEventListener('abort', () => sight.disconnect())
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawAll, until)
  // Paper is white, also at night. Of what is folded nothing is printed.
  const beforePrint = () => {
    root.ownerDocument.documentElement.classList.add('printing')
    for (const figure of figures) if (!figure.closest('details:not([open])')) draw(figure)
    redrawAll()
  }
  const afterPrint = () => {
    root.ownerDocument.documentElement.classList.remove('printing')
    redrawAll()
  }
  addEventListener('beforeprint', beforePrint, until)
  addEventListener('afterprint', afterPrint, until)
  const openTarget = () => {
    const target = location.hash === '' ? null : root.ownerDocument.getElementById(location.hash.slice(1))
    const folded = target?.closest('details')
    if (folded) folded.open = true
    if (folded) folded.scrollIntoView()
  }
  addEventListener('hashchange', openTarget, until)
  openTarget()
}
