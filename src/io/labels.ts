import { InputError } from '../core/errors.js'
import { float16ToFloat32Table } from '../core/float16.js'
import type { LabelsInput } from '../core/labels.js'
import type { FileArray } from './file-array.js'

/**
 * One label a row out of an array of shape `[n]`, `[n, 1]`, or `[n, k]` with one-hot rows, where the label is the column of the 1.
 * Whether numbers are whole is `toLabels`'s to check. Throws `InputError` `bad-shape`, or `bad-label` for a row that is not one-hot.
 */
export function arrayToLabels({ dtype, shape, data }: FileArray, where: string): LabelsInput {
  // a label is a number, not a bit pattern: only matrices may hold float16 as Uint16Array
  const table = dtype === 'float16' ? float16ToFloat32Table() : null
  const values = table ? Float32Array.from(data as Uint16Array, (bits) => table[bits] as number) : data
  if (shape.length === 1 || (shape.length === 2 && shape[1] === 1)) return values
  const [rows, cols] = shape
  if (shape.length !== 2 || rows === undefined || cols === undefined || Array.isArray(values)) {
    throw new InputError('bad-shape', `${where}: has shape [${shape.join(', ')}], expected one label a row: [n], [n, 1] or one-hot rows`, {
      shape,
    })
  }
  if (values.length === 0) return new Int32Array(0)
  const labels = new Int32Array(rows)
  for (let row = 0; row < rows; row++) {
    let hot = -1
    for (let col = 0; col < cols; col++) {
      const value = Number(values[row * cols + col])
      if (value === 0) continue
      if (value !== 1 || hot !== -1) throw notOneHot(where, row, shape)
      hot = col
    }
    if (hot === -1) throw notOneHot(where, row, shape)
    labels[row] = hot
  }
  return labels
}

function notOneHot(where: string, row: number, shape: readonly number[]): InputError {
  return new InputError(
    'bad-label',
    `${where}: has shape [${shape.join(', ')}], but row ${row} is not one-hot (a single 1, else 0); save one label a row`,
    { row, shape },
  )
}
