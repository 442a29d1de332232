import { InputError } from './errors.js'
import { showText } from './untrusted-text.js'

/** A class label: a whole number of any size float64 holds exactly, or a string (larger integers become decimal strings). */
export type Label = number | string

/** Labels as callers give them: one number or string a row. */
export type LabelsInput = ArrayLike<number> | ArrayLike<bigint> | ArrayLike<string>

/**
 * Reads one label a row. Whole numbers of any range and strings are labels; 64-bit integers that float64 cannot hold exactly become
 * decimal strings. `where` names the array in messages. Throws `InputError` `bad-label` naming the first row that is neither.
 */
export function toLabels(input: LabelsInput, where: string): Label[] {
  const isArray = Array.isArray(input) || (ArrayBuffer.isView(input) && !(input instanceof DataView))
  if (!isArray)
    throw new InputError(
      'bad-type',
      `${where}: got ${input === null ? 'null' : typeof input}, expected a typed array, or an array of numbers or strings`,
    )
  const labels = new Array<Label>(input.length)
  for (let row = 0; row < input.length; row++) {
    const value: unknown = input[row]
    if (typeof value === 'number' && Number.isSafeInteger(value)) labels[row] = value === 0 ? 0 : value
    else if (typeof value === 'string') labels[row] = value
    else if (typeof value === 'bigint') labels[row] = Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
    else {
      throw new InputError(
        'bad-label',
        `${where}: row ${row} is ${showText(value)}, expected a whole number within ±(2⁵³ − 1) or a string`,
        { row },
      )
    }
  }
  return labels
}

/** Orders labels: numbers by value, then strings by code unit. */
export function compareLabels(a: Label, b: Label): number {
  if (typeof a === 'number') return typeof b === 'number' ? a - b : -1
  if (typeof b === 'number') return 1
  return a < b ? -1 : a > b ? 1 : 0
}
