import type { Label } from '../core/labels.js'
import { showText } from '../core/untrusted-text.js'
import { displayWidth, fitText } from '../report/text-layout.js'

/** Tables take up to this, also where the terminal is narrower: a wrapped line is hard to read, a cut one tells less. */
export const maxWidth = 132
/** A figure that is not to be had. */
export const notAvailable = '–'

/** One line of a table: cells by column, or a sentence in their place. */
export type Line = { readonly name: string; readonly cells: readonly string[] } | { readonly name: string; readonly says: string }

/** First and last column to the left, the others to the right. Where a line gets too long, names are cut first, then its end. */
export function layOut([first = '', ...titles]: readonly string[], lines: readonly Line[]): string[] {
  const rows = [titles, ...lines.flatMap((line) => ('cells' in line ? [line.cells] : []))]
  const widths = titles.map((_, at) => Math.max(...rows.map((cells) => displayWidth(cells[at] ?? ''))))
  const room = Math.max(16, maxWidth - widths.reduce((sum, width) => sum + 2 + width, 0))
  const nameWidth = Math.min(room, Math.max(displayWidth(first), ...lines.map(({ name }) => displayWidth(name))))
  const row = (name: string, cells: readonly string[]) => {
    const last = cells.length - 1
    const padded = cells.map((cell, at) => (at === last ? cell : ' '.repeat((widths[at] ?? 0) - displayWidth(cell)) + cell))
    const line = [fitText(name, nameWidth), ...padded].join('  ')
    return (displayWidth(line) > maxWidth ? fitText(line, maxWidth) : line).trimEnd()
  }
  return [row(first, titles), ...lines.map((line) => ('cells' in line ? row(line.name, line.cells) : row(line.name, [line.says])))]
}

/** Labels as text, at most so many of them. */
export function labelsOf(accused: readonly Label[], most: number): string {
  const shown = accused.slice(0, most).map((label) => showText(label, 20))
  const more = accused.length - shown.length
  return accused.length === 0 ? 'none' : `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** A share in per cent. */
export function percent(value: number | null): string {
  return value === null ? notAvailable : value === 1 ? '100' : (100 * value).toFixed(1)
}

export function fixed(value: number | null): string {
  return value === null ? notAvailable : value.toFixed(3)
}
