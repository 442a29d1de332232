import * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import type { CheckedImageSet } from './image-set.js'

const byte = z.int().check(z.gte(0), z.lte(255))
const color = z.union([byte, z.array(byte)], { error: 'expected a number from 0 to 255, or a list of one a channel' })
const cell = z.union([z.null(), byte, z.array(byte)], {
  error: 'expected null (unchanged), a number from 0 to 255, or a list of one a channel',
})
const side = z.int().check(z.gte(1))

/** Options of a patch, for the options of attacks that stamp one. */
export const patchOptions = {
  pattern: z.optional(z.enum(['badnets', 'solid', 'checker', 'L'])),
  height: z.optional(side),
  width: z.optional(side),
  color: z._default(color, 255),
  picture: z.optional(z.array(z.array(cell))),
  place: z._default(
    z.union([z.enum(['br', 'bl', 'tr', 'tl', 'center']), z.tuple([z.int().check(z.gte(0)), z.int().check(z.gte(0))])], {
      error: 'expected br, bl, tr, tl, center, or [row, column] of its top left pixel',
    }),
    'br',
  ),
  margin: z.optional(z.int().check(z.gte(0))),
}

/** Parsed. */
export interface PatchOptions {
  readonly pattern?: 'badnets' | 'solid' | 'checker' | 'L' | undefined
  readonly height?: number | undefined
  readonly width?: number | undefined
  readonly color: number | readonly number[]
  readonly picture?: readonly (readonly Cell[])[] | undefined
  readonly place: 'br' | 'bl' | 'tr' | 'tl' | 'center' | readonly [number, number]
  readonly margin?: number | undefined
}

type Cell = null | number | readonly number[]

export interface Patch {
  readonly paint: (picture: Uint8Array) => void
  /** In words. */
  readonly says: string
}

const places = { br: 'bottom right', bl: 'bottom left', tr: 'top right', tl: 'top left', center: 'centre' } as const

/**
 * A patch for pictures of this set. `pattern`: `badnets`, the four bright pixels of Gu et al. 2017 in a square of 3×3 (the default);
 * `solid`, all of `height`×`width` (4×4); `checker`, pixels whose row and column have the same parity, the others black; `L`, first column
 * and last row. `color` is what they are painted: one number for every colour channel, or one each. Or `picture`, rows of cells: null
 * leaves a pixel as it is, a number or a list is its colour. `place` is a corner or the centre, `margin` (1) its distance from the two
 * edges; or `[row, column]`. Opacity, the fourth channel, is written only by lists of four numbers.
 *
 * Throws `OptionError`: `bad-option` where options exclude each other or a colour has not one number a channel, `patch-outside` where the
 * patch does not lie inside the picture.
 */
export function makePatch(set: CheckedImageSet, options: PatchOptions, attack: string): Patch {
  const cells = options.picture ? givenCells(options, attack) : patternCells(options, attack)
  const [height, width] = [cells.length, cells[0]?.length ?? 0]
  const [top, left] = cornerOf(set, { ...options, height, width }, attack)
  if (top < 0 || left < 0 || top + height > set.height || left + width > set.width) {
    throw new OptionError(
      'patch-outside',
      `${attack}: a patch of ${height}×${width} at row ${top}, column ${left} is not inside pictures of ${set.height}×${set.width}; make it smaller or move it`,
    )
  }
  const offsets: number[] = []
  const values: number[] = []
  for (const [y, line] of cells.entries()) {
    for (const [x, color] of line.entries()) {
      if (color === null) continue
      for (const [channel, value] of colorChannels(set, color, attack).entries()) {
        offsets.push(((top + y) * set.width + left + x) * set.channels + channel)
        values.push(value)
      }
    }
  }
  return {
    paint: (picture) => {
      for (let i = 0; i < offsets.length; i++) picture[offsets[i] as number] = values[i] as number
    },
    says: describe(options, { height, width, top, left }),
  }
}

function givenCells({ picture = [], pattern, height, width }: PatchOptions, attack: string): readonly (readonly Cell[])[] {
  const columns = picture[0]?.length ?? 0
  if (columns === 0 || picture.some((line) => line.length !== columns)) {
    throw new OptionError(
      'bad-option',
      `${attack}: picture: got rows of ${picture.map(({ length }) => length).join(', ')} cells, expected one length`,
    )
  }
  if (pattern !== undefined || height !== undefined || width !== undefined) {
    throw new OptionError('bad-option', `${attack}: picture: got pattern, height or width too, expected either; a picture has its own`)
  }
  return picture
}

function patternCells({ pattern = 'badnets', color, ...sides }: PatchOptions, attack: string): Cell[][] {
  const usual = pattern === 'badnets' ? 3 : 4
  const { height = usual, width = usual } = sides
  if (pattern === 'badnets' && (height !== 3 || width !== 3)) {
    throw new OptionError(
      'bad-option',
      `${attack}: height, width: got ${height}×${width}, but pattern badnets is 3×3; pass pattern solid, checker or L`,
    )
  }
  const black = typeof color === 'number' ? 0 : color.map((_, channel) => (channel === 3 ? 255 : 0))
  const cellAt = (y: number, x: number): Cell => {
    if (pattern === 'solid') return color
    if (pattern === 'checker') return (y + x) % 2 === 0 ? color : black
    if (pattern === 'L') return x === 0 || y === height - 1 ? color : null
    return y + x === 2 || (y === 2 && x === 2) ? color : null
  }
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => cellAt(y, x)))
}

function cornerOf(
  set: CheckedImageSet,
  { place, margin, height, width }: { readonly height: number; readonly width: number } & Pick<PatchOptions, 'place' | 'margin'>,
  attack: string,
): readonly [number, number] {
  if (typeof place !== 'string' || place === 'center') {
    if (margin !== undefined) throw new OptionError('bad-option', `${attack}: margin: got ${margin}, which only a place in a corner has`)
    return place === 'center' ? [Math.floor((set.height - height) / 2), Math.floor((set.width - width) / 2)] : place
  }
  const from = margin ?? 1
  return [place[0] === 't' ? from : set.height - height - from, place[1] === 'l' ? from : set.width - width - from]
}

/** A value for each channel that is written. */
function colorChannels({ channels, colors }: CheckedImageSet, color: number | readonly number[], attack: string): readonly number[] {
  if (typeof color === 'number') return new Array<number>(colors).fill(color)
  if (color.length === colors || color.length === channels) return color
  const expected = colors === channels ? `${channels}` : `${colors} or ${channels}`
  throw new OptionError(
    'bad-option',
    `${attack}: color: got ${color.length} numbers, expected ${expected}, one a channel, or one number for all`,
  )
}

function describe(
  { pattern = 'badnets', color, picture, place, margin }: PatchOptions,
  { height, width, top, left }: Record<'height' | 'width' | 'top' | 'left', number>,
): string {
  const what = picture
    ? `given picture ${height}×${width}`
    : `${pattern} ${height}×${width}, colour ${typeof color === 'number' ? color : `(${color.join(', ')})`}`
  if (typeof place !== 'string') return `${what}, at row ${top}, column ${left}`
  return place === 'center' ? `${what}, ${places.center}` : `${what}, ${places[place]}, margin ${margin ?? 1}`
}
