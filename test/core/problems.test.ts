import { expect, test } from 'vitest'
import { InputError, OptionError } from '../../src/core/errors.js'
import { gatherProblems } from '../../src/core/problems.js'

test('gives what was read, at once or later, and throws nothing where nothing is wrong', async () => {
  const problems = gatherProblems()
  expect(problems.attempt(() => 7)).toBe(7)
  expect(await problems.attempt(async () => 8)).toBe(8)
  expect(() => problems.throwIfAny()).not.toThrow()
})

test('throws a single problem as it is', () => {
  const problems = gatherProblems()
  const only = new InputError('bad-shape', 'x: wrong')
  expect(
    problems.attempt(() => {
      throw only
    }),
  ).toBeUndefined()
  expect(() => problems.throwIfAny()).toThrow(only)
})

test('gathers problems that were thrown, rejected and added into one error with the first one’s code', async () => {
  const problems = gatherProblems()
  problems.attempt(() => {
    throw new InputError('bad-shape', 'a: wrong', { rows: 1 })
  })
  expect(await problems.attempt(() => Promise.reject(new InputError('bad-type', 'b: wrong')))).toBeUndefined()
  problems.add(new InputError('empty', 'c: wrong'))
  const error = (() => {
    try {
      problems.throwIfAny()
    } catch (caught) {
      return caught as InputError
    }
  })()
  expect(error).toBeInstanceOf(InputError)
  expect(error?.code).toBe('bad-shape')
  expect(error?.message).toBe('a: wrong\nb: wrong\nc: wrong')
  expect(error?.details.problems).toEqual([
    { code: 'bad-shape', message: 'a: wrong', details: { rows: 1 } },
    { code: 'bad-type', message: 'b: wrong', details: {} },
    { code: 'empty', message: 'c: wrong', details: {} },
  ])
})

test('lets errors of other kinds pass', async () => {
  const problems = gatherProblems()
  const fail = () => {
    throw new OptionError('bad-option', 'no')
  }
  expect(() => problems.attempt(fail)).toThrow(OptionError)
  await expect(problems.attempt(async () => fail())).rejects.toThrow(OptionError)
})
