import type { ScatterView } from './report-view.js'
import { type ScatterPlot, scatterPlot } from './scatter-plot.js'
import { foldTables, sortTables } from './sort-tables.js'

/** What the drawn parts of a report need beside its markup. */
export interface DrawnParts {
  /** By index into the report's classes. */
  readonly scatters: Readonly<Record<string, ScatterView>>
  /** The names of all classes, as they may be shown. */
  readonly classNames: readonly string[]
}

/** Makes a report's page (`reportPage`) answer: tables sort, scatters are drawn when they come into sight, links open what is folded. */
export function activate(root: HTMLElement, { scatters, classNames }: DrawnParts): void {
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
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawAll)
  // Paper is white, also at night. Of what is folded nothing is printed.
  addEventListener('beforeprint', () => {
    root.ownerDocument.documentElement.classList.add('printing')
    for (const figure of figures) if (!figure.closest('details:not([open])')) draw(figure)
    redrawAll()
  })
  addEventListener('afterprint', () => {
    root.ownerDocument.documentElement.classList.remove('printing')
    redrawAll()
  })
  const openTarget = () => {
    const target = location.hash === '' ? null : root.ownerDocument.getElementById(location.hash.slice(1))
    const folded = target?.closest('details')
    if (folded) folded.open = true
    if (folded) folded.scrollIntoView()
  }
  addEventListener('hashchange', openTarget)
  openTarget()
}
