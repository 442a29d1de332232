import { InputError, OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'

/** A labelled set of pictures, as an attack takes it. It is never changed. */
export interface ImageSet {
  /** uint8 in C order, `[n, height, width]` or `[n, height, width, channels]` with 1, 3 or 4 channels (a fourth is opacity). */
  readonly images: { readonly data: Uint8Array; readonly shape: readonly number[] }
  /** `[n]`: whole numbers that fit in 32 bits. */
  readonly labels: ArrayLike<number>
}

/** An `ImageSet` that was found to be one. */
export interface CheckedImageSet {
  readonly data: Uint8Array
  readonly shape: readonly number[]
  readonly rows: number
  readonly height: number
  readonly width: number
  readonly channels: number
  /** Channels without opacity, which no trigger but a warp touches. */
  readonly colors: number
  /** Values of one picture. */
  readonly pictureLength: number
  readonly labels: Int32Array
  /** The labels there are, ascending. */
  readonly classes: readonly number[]
  /** Rows of each label, ascending. */
  readonly rowsOf: ReadonlyMap<number, Uint32Array>
}

/**
 * Checks a set. Throws `InputError`: `bad-type` for pictures that are not uint8, `bad-shape`, `row-count` where there is not one label a
 * picture, `bad-label` naming the first row whose label is not a whole number of 32 bits.
 */
export function checkImageSet({ images, labels }: ImageSet): CheckedImageSet {
  const { data, shape } = images
  if (!(data instanceof Uint8Array)) {
    throw new InputError('bad-type', `images: got ${typeNameOf(data)}, expected uint8 (a Uint8Array); scale pictures to 0 … 255`)
  }
  const [rows, height, width, channels = 1] = shape
  const sizes = shape.every((size) => Number.isSafeInteger(size) && size > 0)
  if (!rows || !height || !width || !sizes || shape.length > 4 || ![1, 3, 4].includes(channels)) {
    const expected = 'expected [n, height, width] or [n, height, width, 1, 3 or 4]; put the channels last'
    throw new InputError('bad-shape', `images: have shape [${shape.join(', ')}], ${expected}`, { shape })
  }
  const pictureLength = height * width * channels
  if (data.length !== rows * pictureLength) {
    throw new InputError(
      'bad-shape',
      `images: hold ${data.length} values, expected ${rows * pictureLength} for shape [${shape.join(', ')}]`,
    )
  }
  if (labels.length !== rows) {
    throw new InputError('row-count', `labels: got ${labels.length}, expected ${rows}, one for each picture`)
  }
  const checked = new Int32Array(rows)
  for (let row = 0; row < rows; row++) {
    const label = labels[row] as number
    checked[row] = label
    if (checked[row] !== label) {
      throw new InputError(
        'bad-label',
        `labels: row ${row} is ${showText(label)}, expected a whole number of 32 bits; number the classes`,
        {
          row,
        },
      )
    }
  }
  const rowsOf = rowsByLabel(checked)
  const colors = channels === 4 ? 3 : channels
  return { data, shape, rows, height, width, channels, colors, pictureLength, labels: checked, classes: [...rowsOf.keys()], rowsOf }
}

/** The rows that bear `label`. Throws `OptionError` `unknown-label` where none does; `where` names the option. */
export function rowsBearing({ rowsOf, classes }: CheckedImageSet, label: number, where: string): Uint32Array {
  const found = rowsOf.get(label)
  if (found) return found
  const shown = classes.length > 12 ? `${classes.slice(0, 12).join(', ')} …` : classes.join(', ')
  throw new OptionError('unknown-label', `${where}: got ${label}, but no row bears that label; expected one of ${shown}`, { label })
}

function rowsByLabel(labels: Int32Array): Map<number, Uint32Array> {
  const counts = new Map<number, number>()
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  const ascending = [...counts.keys()].sort((a, b) => a - b)
  const rowsOf = new Map(ascending.map((label) => [label, new Uint32Array(counts.get(label) as number)]))
  const filled = new Map<number, number>()
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row] as number
    const at = filled.get(label) ?? 0
    ;(rowsOf.get(label) as Uint32Array)[at] = row
    filled.set(label, at + 1)
  }
  return rowsOf
}

function typeNameOf(data: unknown): string {
  return data === null || typeof data !== 'object' ? typeof data : showText(data.constructor?.name ?? 'an object', 40)
}
