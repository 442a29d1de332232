import { kindOf, type PointCloud } from './point-cloud.js'
import { type PointKind, pointKinds } from './report-view.js'

/** What of the axes is seen: position 0 … 1 at the left and lower edge, and how many times the whole fits. */
export interface Window {
  readonly x: number
  readonly y: number
  readonly zoom: number
}

export interface Surface {
  readonly width: number
  readonly height: number
  /** Device pixels in one of the page's. */
  readonly ratio: number
}

export type Colours = Readonly<Record<PointKind | 'ink' | 'paper' | 'grid' | 'note', string>>

/** The colours of the page as they are now: the style sheet names them. */
export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element)
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim()
  return {
    flagged: of('flagged'),
    own: of('own'),
    source: of('source'),
    other: of('other'),
    ink: of('ink'),
    paper: of('paper'),
    grid: of('line'),
    note: of('note'),
  }
}

/** Draws all points into `context`, of the size of `surface`: a shape a kind, and a ring around those selected. */
export function drawPoints(
  context: CanvasRenderingContext2D,
  cloud: PointCloud,
  { window, surface, colours, selected }: { window: Window; surface: Surface; colours: Colours; selected: ReadonlySet<number> },
): void {
  const { width, height, ratio } = surface
  // Many points are drawn smaller, near ones larger.
  const size = Math.max(0.7, Math.min(1.25, (1.5 - Math.log10(cloud.count + 1) / 6) * window.zoom ** 0.2))
  const sprites = new Map(pointKinds.map((kind) => [kind, sprite(kind, { colours, size, ratio })]))
  const ring = sprite('ring', { colours, size, ratio })
  for (let i = 0; i < cloud.count; i++) {
    const px = ((cloud.x[i] as number) - window.x) * window.zoom * width
    const py = height - ((cloud.y[i] as number) - window.y) * window.zoom * height
    if (px < -12 || py < -12 || px > width + 12 || py > height + 12) continue
    stamp(context, sprites.get(kindOf(cloud, i)) as HTMLCanvasElement, { px, py, ratio })
    if (selected.has(i)) stamp(context, ring, { px, py, ratio })
  }
}

function stamp(context: CanvasRenderingContext2D, shape: HTMLCanvasElement, { px, py, ratio }: { px: number; py: number; ratio: number }) {
  context.drawImage(shape, Math.round(px * ratio - shape.width / 2), Math.round(py * ratio - shape.height / 2))
}

/** One point's picture, drawn once and stamped thousands of times. */
function sprite(kind: PointKind | 'ring', { colours, size, ratio }: { colours: Colours; size: number; ratio: number }): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = Math.ceil(18 * size * ratio)
  const context = canvas.getContext('2d') as CanvasRenderingContext2D
  context.translate(canvas.width / 2, canvas.height / 2)
  context.scale(size * ratio, size * ratio)
  context.beginPath()
  if (kind === 'flagged') {
    context.moveTo(0, -5.2)
    context.lineTo(4.9, 3.6)
    context.lineTo(-4.9, 3.6)
    context.closePath()
    context.fillStyle = colours.flagged
    context.fill()
    context.lineWidth = 1
    context.strokeStyle = colours.paper
    context.stroke()
  } else if (kind === 'own') {
    context.arc(0, 0, 2.4, 0, 2 * Math.PI)
    context.globalAlpha = 0.75
    context.fillStyle = colours.own
    context.fill()
  } else if (kind === 'source') {
    context.rect(-2.6, -2.6, 5.2, 5.2)
    context.lineWidth = 1.2
    context.strokeStyle = colours.source
    context.stroke()
  } else if (kind === 'other') {
    context.moveTo(-2, -2)
    context.lineTo(2, 2)
    context.moveTo(2, -2)
    context.lineTo(-2, 2)
    context.globalAlpha = 0.6
    context.lineWidth = 0.9
    context.strokeStyle = colours.other
    context.stroke()
  } else {
    context.arc(0, 0, 7, 0, 2 * Math.PI)
    context.lineWidth = 1.4
    context.strokeStyle = colours.ink
    context.stroke()
  }
  return canvas
}
