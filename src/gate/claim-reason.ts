import { showText } from '../core/untrusted-text.js'
import type { SignedClaim } from '../custody/claim.js'
import type { Reason } from './decision.js'
import { ageMs } from './policy.js'
import type { ReasonCode } from './reason.js'

/** A reason about a claim. */
export function about({ line, signers }: SignedClaim, code: ReasonCode, says: string): Reason {
  return { code, says: `claim ${line}, signed by ${signers.map((name) => showText(name)).join(' or ')}: ${says}`, line }
}

/** How old a claim is, against how old it may be. */
export function isStale({ claim }: SignedClaim, maxAge: string, at: Date): boolean {
  return at.getTime() - claim.time.getTime() > ageMs(maxAge)
}

export function sayStale({ claim }: SignedClaim, maxAge: string): string {
  return `is of ${claim.time.toISOString()}, expected one that is not older than ${maxAge}`
}

/** `a, b or c`. */
export function sayNames(names: readonly string[]): string {
  return names.map((name) => `'${showText(name)}'`).join(' or ')
}
