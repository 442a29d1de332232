import type { Colours, Surface, Window } from './draw-points.js'

interface Ends {
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
}

interface Seen {
  readonly window: Window
  readonly surface: Surface
  readonly colours: Colours
}

/** Lines at round numbers of both axes. */
export function drawGrid(context: CanvasRenderingContext2D, ends: Ends, seen: Seen): void {
  const { width, height } = seen.surface
  const { across, up } = places(ends, seen)
  context.lineWidth = 1
  context.strokeStyle = seen.colours.grid
  context.beginPath()
  for (const { at } of across) {
    context.moveTo(Math.round(at) + 0.5, 0)
    context.lineTo(Math.round(at) + 0.5, height)
  }
  for (const { at } of up) {
    context.moveTo(0, Math.round(at) + 0.5)
    context.lineTo(width, Math.round(at) + 0.5)
  }
  context.stroke()
}

/** Those numbers, on a rim of paper so that they can be read over points. */
export function drawTicks(context: CanvasRenderingContext2D, ends: Ends, seen: Seen): void {
  const { width, height } = seen.surface
  const { across, up } = places(ends, seen)
  context.font = '11px system-ui, sans-serif'
  context.textBaseline = 'alphabetic'
  context.lineWidth = 3
  context.lineJoin = 'round'
  context.strokeStyle = seen.colours.paper
  context.fillStyle = seen.colours.note
  const write = (tick: number, x: number, y: number) => {
    const text = String(Number(tick.toPrecision(6))).replace('-', '−')
    context.strokeText(text, x, y)
    context.fillText(text, x, y)
  }
  context.textAlign = 'center'
  for (const { tick, at } of across) if (at > 16 && at < width - 16) write(tick, at, height - 5)
  context.textAlign = 'left'
  for (const { tick, at } of up) if (at > 14 && at < height - 24) write(tick, 4, at - 4)
}

/** Round numbers of what is seen of both axes, and the pixel that each lies at. */
function places(ends: Ends, { window, surface }: Seen) {
  const of = ([low, high]: readonly [number, number], start: number, pixels: number, perTick: number) => {
    const from = low + start * (high - low)
    const span = (high - low) / window.zoom
    return ticks([from, from + span], Math.max(2, pixels / perTick)).map((tick) => ({ tick, at: (pixels * (tick - from)) / span }))
  }
  const up = of(ends.y, window.y, surface.height, 70).map(({ tick, at }) => ({ tick, at: surface.height - at }))
  return { across: of(ends.x, window.x, surface.width, 90), up }
}

/** Round numbers between two ends, about `wanted` of them. */
export function ticks([low, high]: readonly [number, number], wanted: number): number[] {
  const rough = (high - low) / wanted
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power
  const out: number[] = []
  for (let value = Math.ceil(low / step) * step; value <= high && out.length < 50; value += step)
    out.push(Math.abs(value) < step / 1e6 ? 0 : value)
  return out
}
