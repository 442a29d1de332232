import { expect } from 'vitest'
import { InputError } from '../../src/core/errors.js'

/** The `InputError` that reading ends with; fails where it ends otherwise. */
export async function refusal(read: Promise<unknown>): Promise<InputError> {
  const error = await read.then(
    () => null,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(InputError)
  return error
}
