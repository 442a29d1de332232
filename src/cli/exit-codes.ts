import { BackendError, InputError, OptionError } from '../core/errors.js'
import type { ReportVerdict } from '../report/schema.js'

/** What the process says with its exit code. Scripts rely on these. */
export const exitCode = {
  nothingFound: 0,
  found: 1,
  undecided: 2,
  usage: 64,
  badInput: 65,
  backendUnavailable: 69,
  fault: 70,
  interrupted: 130,
} as const
export type ExitCode = (typeof exitCode)[keyof typeof exitCode]

/** From which verdict upwards an audit fails: `inconclusive` < `suspicious` < `poisoned`. */
export const failOnLevels = ['poisoned', 'suspicious', 'inconclusive'] as const
export type FailOn = (typeof failOnLevels)[number]

/** A verdict from `failOn` upwards is a finding; one below it is none; `inconclusive` below it stays undecided. */
export function verdictExitCode(verdict: ReportVerdict, failOn: FailOn): ExitCode {
  if (verdict === 'clean') return exitCode.nothingFound
  if (failOnLevels.indexOf(verdict) <= failOnLevels.indexOf(failOn)) return exitCode.found
  return verdict === 'inconclusive' ? exitCode.undecided : exitCode.nothingFound
}

/** `backendByName`: the user asked for one backend, so that its failing means that it is not to be had. */
export function errorExitCode(error: unknown, { backendByName }: { backendByName: boolean }): ExitCode {
  if (error instanceof OptionError) return exitCode.usage
  if (error instanceof InputError) return exitCode.badInput
  const unavailable = ['backend-unavailable', 'signing-service']
  if (error instanceof BackendError && (unavailable.includes(error.code) || backendByName)) return exitCode.backendUnavailable
  return exitCode.fault
}
