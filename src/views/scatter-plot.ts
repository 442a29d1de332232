import { drawGrid, drawTicks } from './draw-axes.js'
import { type Colours, coloursOf, drawPoints, type Surface, type Window } from './draw-points.js'
import { h, toNode } from './element.js'
import { isInside, kindOf, nearestFinder, unpackPoints } from './point-cloud.js'
import type { ScatterView } from './report-view.js'
import { amount, number } from './report-words.js'

export interface ScatterPlot {
  /** Draws anew: after a change of size, of colours, or for a printer. */
  redraw(): void
}

interface Place {
  readonly x: number
  readonly y: number
}

const mostZoom = 64
const listed = 100
/** A point is meant within so many pixels. */
const reachPixels = 14
/** While a picture moves, what was drawn last is only shifted and scaled; it is drawn anew when it has rested so long. */
const restMs = 90

/** Makes the frame of a scatter (`scatterFigure`) answer. `classNames`: as they may be shown, by index into the report's classes. */
export function scatterPlot(figure: HTMLElement, view: ScatterView, classNames: readonly string[]): ScatterPlot {
  const find = <T extends HTMLElement>(selector: string) => figure.querySelector(selector) as T
  const canvas = find<HTMLCanvasElement>('canvas')
  const tip = find<HTMLElement>('.tip')
  const live = find<HTMLElement>('[data-live]')
  const selection = find<HTMLElement>('[data-selection]')
  const context = canvas.getContext('2d') as CanvasRenderingContext2D
  const drawn = document.createElement('canvas')
  const cloud = unpackPoints(view)
  const nearest = nearestFinder(cloud)

  let surface: Surface = { width: 0, height: 0, ratio: 1 }
  let colours: Colours = coloursOf(figure)
  let window: Window = { x: 0, y: 0, zoom: 1 }
  let drawnWindow = window
  let mode: 'select' | 'move' = matchMedia('(pointer: coarse)').matches ? 'move' : 'select'
  let selected: ReadonlySet<number> = new Set()
  let lasso: Place[] = []
  let hovered: number | null = null
  let cross: Place | null = null
  let frame = 0
  let rest: ReturnType<typeof setTimeout> | undefined
  let saying: ReturnType<typeof setTimeout> | undefined

  const toPixels = ({ x, y }: Place) => ({
    px: (x - window.x) * window.zoom * surface.width,
    py: surface.height - (y - window.y) * window.zoom * surface.height,
  })
  const toPlace = (px: number, py: number): Place => ({
    x: window.x + px / (window.zoom * surface.width),
    y: window.y + (surface.height - py) / (window.zoom * surface.height),
  })

  function redraw(): void {
    const { clientWidth: width, clientHeight: height } = canvas
    if (width === 0 || height === 0) return
    const ratio = Math.min(3, devicePixelRatio || 1)
    surface = { width, height, ratio }
    colours = coloursOf(figure)
    for (const one of [canvas, drawn]) {
      one.width = Math.round(width * ratio)
      one.height = Math.round(height * ratio)
    }
    drawnWindow = window
    const into = drawn.getContext('2d') as CanvasRenderingContext2D
    drawPoints(into, cloud, { window, surface, colours, selected })
    paint()
  }

  /** The grid, what was drawn last (shifted and scaled to what is seen now), and what lies over it. */
  function paint(): void {
    const { width, height, ratio } = surface
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.clearRect(0, 0, canvas.width, canvas.height)
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    drawGrid(context, view, { window, surface, colours })
    const scale = window.zoom / drawnWindow.zoom
    const dx = (drawnWindow.x - window.x) * window.zoom * width
    const dy = height - height * scale - (drawnWindow.y - window.y) * window.zoom * height
    context.drawImage(drawn, dx, dy, width * scale, height * scale)
    drawTicks(context, view, { window, surface, colours })
    if (lasso.length > 0) drawLasso()
    if (cross && document.activeElement === canvas) drawCross(cross)
    if (hovered !== null) {
      const { px, py } = toPixels({ x: cloud.x[hovered] as number, y: cloud.y[hovered] as number })
      context.beginPath()
      context.arc(px, py, 8, 0, 2 * Math.PI)
      context.lineWidth = 2
      context.strokeStyle = colours.ink
      context.stroke()
    }
  }

  function drawLasso(): void {
    context.beginPath()
    for (const corner of lasso) {
      const { px, py } = toPixels(corner)
      context.lineTo(px, py)
    }
    context.closePath()
    context.globalAlpha = 0.12
    context.fillStyle = colours.ink
    context.fill()
    context.globalAlpha = 1
    context.setLineDash([5, 4])
    context.lineWidth = 1.5
    context.strokeStyle = colours.ink
    context.stroke()
    context.setLineDash([])
  }

  function drawCross(at: Place): void {
    const { px, py } = toPixels(at)
    context.lineWidth = 1.5
    context.strokeStyle = colours.ink
    context.beginPath()
    context.moveTo(px - 10, py)
    context.lineTo(px + 10, py)
    context.moveTo(px, py - 10)
    context.lineTo(px, py + 10)
    context.stroke()
  }

  function paintSoon(): void {
    if (frame !== 0) return
    frame = requestAnimationFrame(() => {
      frame = 0
      paint()
    })
  }

  function look(at: Window): void {
    const zoom = Math.max(1, Math.min(mostZoom, at.zoom))
    const most = 1 - 1 / zoom
    window = { zoom, x: Math.max(0, Math.min(most, at.x)), y: Math.max(0, Math.min(most, at.y)) }
    canvas.style.touchAction = mode === 'select' || zoom > 1 ? 'none' : 'pan-y'
    paintSoon()
    clearTimeout(rest)
    rest = setTimeout(redraw, restMs)
  }

  function zoomAt(place: Place, factor: number): void {
    const zoom = Math.max(1, Math.min(mostZoom, window.zoom * factor))
    const kept = window.zoom / zoom
    look({ zoom, x: place.x - (place.x - window.x) * kept, y: place.y - (place.y - window.y) * kept })
  }

  const middle = (): Place => ({ x: window.x + 0.5 / window.zoom, y: window.y + 0.5 / window.zoom })

  function describe(point: number): string {
    const kind = kindOf(cloud, point)
    const row = `Row ${cloud.row[point]}`
    const is = { flagged: 'flagged', own: 'not flagged', source: 'source class', other: 'other class' }[kind]
    const of = classNames[cloud.classIndex[point] as number] ?? ''
    const score = cloud.score ? `, suspicion ${(cloud.score[point] as number).toFixed(2)}` : ''
    return `${row}: ${is}, labelled ${of}${score}`
  }

  function hover(place: Place | null): void {
    const reach = reachPixels / (window.zoom * surface.width)
    hovered = place && surface.width > 0 ? nearest(place, surface.height / surface.width, reach) : null
    tip.hidden = hovered === null
    if (hovered !== null) {
      const { px, py } = toPixels({ x: cloud.x[hovered] as number, y: cloud.y[hovered] as number })
      tip.replaceChildren(...pictureOf(cloud.row[hovered] as number), describe(hovered))
      tip.style.left = `${Math.max(0, Math.min(surface.width - tip.offsetWidth, px + 12))}px`
      tip.style.top = `${py + 18 + tip.offsetHeight > surface.height ? Math.max(0, py - tip.offsetHeight - 12) : py + 14}px`
    }
    paintSoon()
  }

  /** What the page already shows of a row. */
  function pictureOf(row: number): Node[] {
    const shown = figure.ownerDocument.querySelector(`img[data-row="${row}"]`)
    if (!shown) return []
    const copy = shown.cloneNode() as HTMLImageElement
    copy.alt = ''
    return [copy]
  }

  function say(text: string): void {
    clearTimeout(saying)
    saying = setTimeout(() => {
      live.textContent = text
    }, 120)
  }

  function select(points: readonly number[]): void {
    selected = new Set(points)
    lasso = []
    const flagged = points.filter((point) => kindOf(cloud, point) === 'flagged').length
    const title = points.length === 0 ? 'No rows selected' : `${amount(points.length, 'row')} selected, ${number(flagged)} of them flagged`
    selection.replaceChildren(...(points.length === 0 ? [] : [toNode(document, selectionList(title, points))]))
    say(title)
    redraw()
  }

  function selectionList(title: string, points: readonly number[]) {
    const suspicion = (point: number) => cloud.score?.[point] ?? 0
    const sorted = [...points].sort((a, b) => suspicion(b) - suspicion(a))
    const numbers = sorted.map((point) => cloud.row[point]).join(', ')
    return h(
      'div',
      {},
      h('h4', {}, title),
      h('label', {}, 'Row numbers, to copy', h('textarea', { readonly: true, rows: 2 }, numbers)),
      h(
        'ul',
        { tabindex: 0, 'aria-label': 'Selected rows' },
        sorted.slice(0, listed).map((point) => h('li', {}, h('bdi', {}, describe(point)))),
        sorted.length > listed && h('li', {}, `… and ${number(sorted.length - listed)} more; their numbers are above`),
      ),
    )
  }

  function closeLasso(): void {
    const polygon = lasso
    lasso = []
    if (polygon.length < 3) {
      paintSoon()
      return
    }
    const inside: number[] = []
    for (let i = 0; i < cloud.count; i++) if (isInside(cloud.x[i] as number, cloud.y[i] as number, polygon)) inside.push(i)
    select(inside)
  }

  function setMode(to: 'select' | 'move'): void {
    mode = to
    for (const button of figure.querySelectorAll<HTMLElement>('[aria-pressed]')) {
      button.setAttribute('aria-pressed', String(button.dataset.tool === mode))
    }
    canvas.classList.toggle('moving', mode === 'move')
    look(window)
  }

  const flaggedPoints = () => Array.from({ length: cloud.count }, (_, i) => i).filter((i) => kindOf(cloud, i) === 'flagged')

  function act(name: string): void {
    if (name === 'select' || name === 'move') setMode(name)
    else if (name === 'in') zoomAt(cross ?? middle(), 1.6)
    else if (name === 'out') zoomAt(cross ?? middle(), 1 / 1.6)
    else if (name === 'reset') look({ x: 0, y: 0, zoom: 1 })
    else if (name === 'flagged') select(flaggedPoints())
    else if (name === 'clear') select([])
  }

  function moveCross(to: Place): void {
    cross = { x: Math.max(0, Math.min(1, to.x)), y: Math.max(0, Math.min(1, to.y)) }
    const seen = 1 / window.zoom
    const into = (value: number, start: number) => (value < start ? value - seen / 10 : value > start + seen ? value - 0.9 * seen : start)
    if (window.zoom > 1) look({ ...window, x: into(cross.x, window.x), y: into(cross.y, window.y) })
    hover(cross)
    say(hovered === null ? 'No row here' : describe(hovered))
  }

  function nextFlagged(step: number): void {
    const points = flaggedPoints()
    if (points.length === 0) {
      say('No row is flagged here')
      return
    }
    const at = hovered === null ? (step > 0 ? -1 : 0) : points.indexOf(hovered)
    const point = points[(at + step + points.length) % points.length] as number
    moveCross({ x: cloud.x[point] as number, y: cloud.y[point] as number })
    // Another point may lie exactly there; this one is meant.
    hovered = point
    tip.replaceChildren(...pictureOf(cloud.row[point] as number), describe(point))
    say(describe(point))
  }

  function onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const step = (event.shiftKey ? 0.1 : 0.02) / window.zoom
    const from = cross ?? middle()
    const keys: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => moveCross({ ...from, x: from.x - step }),
      ArrowRight: () => moveCross({ ...from, x: from.x + step }),
      ArrowUp: () => moveCross({ ...from, y: from.y + step }),
      ArrowDown: () => moveCross({ ...from, y: from.y - step }),
      '+': () => act('in'),
      '=': () => act('in'),
      '-': () => act('out'),
      '0': () => act('reset'),
      n: () => nextFlagged(1),
      p: () => nextFlagged(-1),
      ' ': () => {
        lasso = [...lasso, from]
        cross = from
        say(`Corner ${lasso.length} of the lasso`)
        paintSoon()
      },
      Enter: closeLasso,
      Escape: () => select([]),
    }
    const does = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key]
    if (!does) return
    event.preventDefault()
    does()
  }

  const pointers = new Map<number, { px: number; py: number }>()
  const pixelOf = (event: PointerEvent | WheelEvent) => {
    const box = canvas.getBoundingClientRect()
    return { px: event.clientX - box.left, py: event.clientY - box.top }
  }

  canvas.addEventListener('pointerdown', (event) => {
    const at = pixelOf(event)
    pointers.set(event.pointerId, at)
    canvas.setPointerCapture(event.pointerId)
    if (pointers.size > 1) lasso = []
    else if (mode === 'select') lasso = [toPlace(at.px, at.py)]
  })
  canvas.addEventListener('pointermove', (event) => {
    const at = pixelOf(event)
    const before = pointers.get(event.pointerId)
    if (!before) {
      hover(toPlace(at.px, at.py))
      return
    }
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId)
    pointers.set(event.pointerId, at)
    if (other) {
      const apart = (one: { px: number; py: number }) => Math.hypot(one.px - other[1].px, one.py - other[1].py)
      zoomAt(toPlace((at.px + other[1].px) / 2, (at.py + other[1].py) / 2), apart(at) / Math.max(1, apart(before)))
    } else if (mode === 'select') {
      lasso.push(toPlace(at.px, at.py))
      paintSoon()
    } else {
      const { x, y, zoom } = window
      look({ zoom, x: x - (at.px - before.px) / (zoom * surface.width), y: y + (at.py - before.py) / (zoom * surface.height) })
    }
  })
  const release = (event: PointerEvent) => {
    const was = pointers.delete(event.pointerId)
    if (!was || pointers.size > 0) return
    if (event.type === 'pointercancel') lasso = []
    if (mode === 'select' && lasso.length > 2) closeLasso()
    else {
      lasso = []
      const at = pixelOf(event)
      hover(toPlace(at.px, at.py))
    }
  }
  canvas.addEventListener('pointerup', release)
  canvas.addEventListener('pointercancel', release)
  canvas.addEventListener('pointerleave', () => hover(null))
  // A page that scrolls under the pointer must not be caught here, so a bare wheel is the page's.
  canvas.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return
      event.preventDefault()
      const at = pixelOf(event)
      zoomAt(toPlace(at.px, at.py), Math.exp(-event.deltaY / 300))
    },
    { passive: false },
  )
  canvas.addEventListener('keydown', onKey)
  canvas.addEventListener('focus', paintSoon)
  canvas.addEventListener('blur', () => hover(null))
  for (const button of figure.querySelectorAll<HTMLElement>('[data-tool]')) {
    button.addEventListener('click', () => act(button.dataset.tool ?? ''))
  }
  new ResizeObserver(redraw).observe(canvas)
  setMode(mode)
  return { redraw }
}
