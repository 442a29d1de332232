import { AssayError, type ErrorDetails } from '../core/errors.js'
import type { Reason } from '../gate/decision.js'

/** What the proxy itself answers in place of what was asked for, by code, with its status. Codes are stable; docs/proxy.md lists them. */
export const answers = {
  'bad-request': [400, 'The request is none that the hub would understand, or tries to leave its place.'],
  'not-offered': [404, 'Something of the hub that the proxy does not pass on.'],
  RepoNotFound: [404, 'The upstream has no such repository, or does not show it to who asks.'],
  RevisionNotFound: [404, 'The upstream has no such revision.'],
  EntryNotFound: [404, 'The revision is proven, and has no such file.'],
  GatedRepo: [403, 'The upstream wants its terms accepted by who asks.'],
  unauthorized: [401, 'The upstream does not take the credentials.'],
  'method-not-allowed': [405, 'Something else than GET, HEAD, or POST of paths-info.'],
  'too-large': [413, 'The body of the request is too large.'],
  denied: [403, 'The gate says no; its own reasons go with it, the first one as the code.'],
  altered: [403, 'Bytes that the upstream sends, again and again, are not what its own listing names.'],
  'bad-listing': [403, 'The upstream lists names or sizes that cannot be right: twice the same, leaving the folder, without a digest.'],
  'revision-moved': [403, 'A name that stood for one commit now stands for another.'],
  quarantined: [403, 'An operator has put the revision in quarantine.'],
  'redirect-refused': [502, 'The upstream sends the proxy to where it may not go, or in circles.'],
  'upstream-failed': [502, 'The upstream cannot be reached, breaks off, or answers what cannot be read.'],
  'upstream-stalled': [504, 'The upstream does not answer in time, or hardly sends anything.'],
  'store-full': [507, 'There is no room for the revision, with everything evicted that may be.'],
  'store-failed': [500, 'The store cannot be read or written.'],
  'shutting-down': [503, 'The proxy is going down.'],
} as const satisfies Record<string, readonly [status: number, says: string]>

export type AnswerCode = keyof typeof answers

/** A request that is answered with less than was asked for. `reasons` are the gate's, where it has spoken. */
export class Refused extends AssayError {
  declare readonly code: AnswerCode
  readonly reasons: readonly Reason[]

  constructor(code: AnswerCode, message: string, details: ErrorDetails & { readonly reasons?: readonly Reason[] } = {}, cause?: unknown) {
    super(code, message, details, cause)
    this.reasons = details.reasons ?? []
  }

  get status(): number {
    return answers[this.code][0]
  }
}
