import { expect, it } from 'vitest'
import { parseAuditOptions } from '../../src/audit-options.js'
import { describeOptionProblems } from '../../src/core/option-problems.js'
import { parseOptions } from '../../src/detectors/detector.js'
import { spectralSignatures } from '../../src/detectors/spectral-signatures.js'

const messageOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was thrown'
}

it('every bad option is named with what was got and what was expected', () => {
  const message = messageOf(() => parseOptions(spectralSignatures, { k: 0, epsilon: 2, variant: 'x', minRows: 2.5, foo: 1 }))
  for (const line of [
    'spectral-signatures: k: got 0, expected a number ≥ 1',
    'spectral-signatures: epsilon: got 2, expected a number ≤ 1',
    'spectral-signatures: variant: got "x", expected one of paper, uncentred',
    'spectral-signatures: minRows: got 2.5, expected a whole number',
    'spectral-signatures: foo: there is no such option',
  ]) {
    expect(message).toContain(line)
  }
})

it('options of an audit too', () => {
  const message = messageOf(() =>
    parseAuditOptions({ backend: 'gpu', seed: '7', falseAccusationRate: 1, signal: {}, onProgress: 3 } as never),
  )
  for (const line of [
    'options: backend: got "gpu", expected one of auto, webgpu, cpu',
    'options: seed: got "7", expected a value of type number',
    'options: falseAccusationRate: got 1, expected a number < 1',
    'options: signal: got an object, expected an AbortSignal',
    'options: onProgress: got 3, expected a function',
  ]) {
    expect(message).toContain(line)
  }
  expect(messageOf(() => parseAuditOptions(3 as never))).toBe('options: got 3, expected a value of type object')
})

it('names and values from outside are capped and escaped', () => {
  const issues = [{ code: 'unrecognized_keys', path: [], message: '', keys: ['\u001b[2J'] }]
  expect(describeOptionProblems('x', issues, {})).toBe('x: \\u{1b}[2J: there is no such option; the README lists them')
})
