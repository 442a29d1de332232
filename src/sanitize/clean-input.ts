import type { RowBlocksInput } from '../core/activation-rows.js'
import type { ActivationSetInput, RowImages } from '../core/activation-set.js'
import { InputError } from '../core/errors.js'
import { type LabelsInput, toLabels } from '../core/labels.js'
import type { DenseInput, MatrixInput, NumberArray, StridedInput } from '../core/matrix.js'
import type { RowDecision } from './decide-rows.js'
import { labelRows } from './label-rows.js'

/**
 * The rows of an input that are kept, in their order, in arrays of its own element types; activations that come in row blocks are filtered
 * as they come. Trusted rows and class names stay as they are; an origin is left out, as the rows are no longer those of its files. The input
 * has been found to be sound; nothing of it is changed, and it is returned itself where nothing is to be changed.
 */
export function cleanInput(input: ActivationSetInput, { keep, drop, relabelled }: RowDecision): ActivationSetInput {
  if (drop.length === 0 && relabelled.length === 0) return input
  const { origin: _, activations, labels, predictions, logits, images, texts, ...rest } = input
  return {
    ...rest,
    activations: comesInBlocks(activations) ? keptBlocks(activations, keep) : pickRows(activations, keep),
    labels: pickValues(labels, labelRows(toLabels(labels, 'labels'), keep, relabelled)),
    ...(predictions && { predictions: pickValues(predictions, keep) }),
    ...(logits && { logits: pickRows(logits, keep) }),
    ...(images && { images: keptImages(images, keep) }),
    ...(texts && { texts: Array.from(keep, (row) => texts[row] as string) }),
  }
}

/** As `toActivationRows` tells them apart. */
function comesInBlocks(activations: MatrixInput | RowBlocksInput): activations is RowBlocksInput {
  return !('data' in activations) && 'blocks' in activations
}

/** `values[rowOf[0]]`, `values[rowOf[1]]`, … in an array of the same type. */
function pickValues(values: LabelsInput, rowOf: Uint32Array): LabelsInput {
  const picked = emptyLike(values, rowOf.length)
  for (let at = 0; at < rowOf.length; at++) picked[at] = values[rowOf[at] as number]
  return picked as unknown as LabelsInput
}

function pickRows(matrix: MatrixInput, rowOf: Uint32Array): DenseInput | StridedInput {
  const rows = rowOf.length
  if (!('shape' in matrix)) return { data: pickDense(matrix.data, matrix.cols, rowOf), rows, cols: matrix.cols }
  const { data, shape, stride, offset } = matrix
  const [cols, rowStride, colStride] = [shape[1], stride[0], stride[1]] as [number, number, number]
  const picked = emptyLike(data as NumberArray, rows * cols)
  for (let at = 0; at < rows; at++) {
    const from = offset + (rowOf[at] as number) * rowStride
    for (let col = 0; col < cols; col++) picked[at * cols + col] = (data as NumberArray)[from + col * colStride]
  }
  return { data: picked, shape: [rows, cols], stride: [cols, 1], offset: 0 }
}

/** Rows of `cols` values each, in an array of the same type. */
function pickDense(data: NumberArray, cols: number, rowOf: Uint32Array): NumberArray {
  const picked = emptyLike(data, rowOf.length * cols)
  for (let at = 0; at < rowOf.length; at++) {
    const from = (rowOf[at] as number) * cols
    for (let col = 0; col < cols; col++) picked[at * cols + col] = data[from + col]
  }
  return picked as unknown as NumberArray
}

/** An array of the type of `values`; a plain one where that is none that numbers are kept in. */
function emptyLike(values: ArrayLike<unknown>, length: number): Record<number, unknown> & { readonly length: number } {
  if (!ArrayBuffer.isView(values)) return new Array<unknown>(length)
  // Node's Buffer is a Uint8Array whose own constructor is deprecated
  if (values instanceof Uint8Array) return new Uint8Array(length)
  return new (values.constructor as new (length: number) => Record<number, unknown> & { length: number })(length)
}

/** Each pass reads the input's blocks and gives what is kept of each. Throws `InputError` where they are not what was declared. */
function keptBlocks(input: RowBlocksInput, keep: Uint32Array): RowBlocksInput {
  const { rows, cols } = input
  return {
    rows: keep.length,
    cols,
    async *blocks(rowsPerBlock) {
      let first = 0
      let from = 0
      const wrong = (got: string) =>
        new InputError('bad-shape', `activations: gave ${got}, expected whole rows of ${cols}, ${rows} in all; read it again`, {
          rows,
          cols,
        })
      for await (const chunk of input.blocks(rowsPerBlock)) {
        const end = first + chunk.length / cols
        if (!Number.isInteger(end) || end > rows) throw wrong(`${chunk.length} values from row ${first} on`)
        let to = from
        while (to < keep.length && (keep[to] as number) < end) to++
        const own = keep.subarray(from, to).map((row) => row - first)
        from = to
        if (own.length > 0) yield own.length === end - first ? chunk : pickDense(chunk, cols, own)
        first = end
      }
      if (first < rows) throw wrong(`${first} rows`)
    },
  }
}

function keptImages(images: RowImages, keep: Uint32Array): RowImages {
  const pictures = keptPictures(images.rows, keep)
  return {
    count: pictures.picture.length,
    rows: pictures.row,
    read: async (index) => {
      const picture = pictures.picture[index]
      if (picture === undefined) throw new RangeError(`picture ${index} of ${pictures.picture.length}`)
      return images.read(picture)
    },
  }
}

/** The pictures of kept rows, in their order, and the rows that they belong to then; null where every row has its own. */
export function keptPictures(
  rows: ArrayLike<number> | null,
  keep: Uint32Array,
): { readonly picture: Uint32Array; readonly row: Uint32Array | null } {
  if (rows === null) return { picture: keep, row: null }
  const newRow = new Map(Array.from(keep, (row, index) => [row, index]))
  const picture = Uint32Array.from(Array.from(rows).keys()).filter((index) => newRow.has(rows[index] as number))
  return { picture, row: picture.map((index) => newRow.get(rows[index] as number) as number) }
}
