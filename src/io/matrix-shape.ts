import { InputError } from '../core/errors.js'
import type { FileArray } from './file-array.js'

/**
 * Rows and columns of an array that has to be a matrix of numbers. Throws `InputError`: `bad-shape` where it has other than two
 * dimensions, `empty` where one of them is 0, `bad-type` for strings.
 */
export function matrixShape({ dtype, shape }: Pick<FileArray, 'dtype' | 'shape'>, where: string): { rows: number; cols: number } {
  const [rows, cols] = shape
  if (rows === undefined || cols === undefined || shape.length !== 2) {
    const mend = shape.length > 2 ? 'flatten each row, or pool over space or time' : 'save one row a sample'
    throw new InputError('bad-shape', `${where}: has shape [${shape.join(', ')}], expected [rows, features]; ${mend}`, { shape })
  }
  if (rows === 0 || cols === 0) {
    throw new InputError('empty', `${where}: has ${rows} rows of ${cols} features, expected at least one of each`, { shape })
  }
  if (dtype === 'string' || dtype === 'bytes') {
    throw new InputError('bad-type', `${where}: holds strings (${dtype}), expected numbers`, { dtype })
  }
  return { rows, cols }
}
