import type { Reference } from './artifact.js'

export const provenancePredicate = 'https://slsa.dev/provenance/v1'
export const testResultPredicate = 'https://in-toto.io/attestation/test-result/v0.1'
export const verdictPredicate = 'https://slsa.dev/verification_summary/v1'

export const testResults = ['PASSED', 'WARNED', 'FAILED'] as const
export type TestResult = (typeof testResults)[number]

/** Where something comes from (SLSA provenance v1): its subjects went through a stage, made of its inputs. */
export interface ProvenanceClaim {
  readonly kind: 'provenance'
  readonly subjects: readonly Reference[]
  readonly buildType: string
  readonly builder: string
  readonly inputs: readonly Reference[]
  /** When the stage was finished. */
  readonly time: Date
}

/** How tests of the subjects came out (in-toto test result v0.1). */
export interface TestClaim {
  readonly kind: 'test-result'
  readonly subjects: readonly Reference[]
  readonly tests: readonly { readonly name: string; readonly result: TestResult }[]
  /** Of all of them. */
  readonly result: TestResult
  /** The reports, records and settings that it names. */
  readonly configuration: readonly Reference[]
  readonly time: Date
}

/** What a gate decided about its subjects (SLSA verification summary v1). */
export interface VerdictClaim {
  readonly kind: 'verdict'
  readonly subjects: readonly Reference[]
  readonly verifier: string
  readonly result: 'PASSED' | 'FAILED'
  readonly policyDigest: string
  readonly time: Date
}

export type Claim = ProvenanceClaim | TestClaim | VerdictClaim

/** A claim whose signature holds. */
export interface SignedClaim {
  /** In its file, from 1. */
  readonly line: number
  readonly claim: Claim
  /** The names of those who may have signed it, as the policy has them. */
  readonly signers: readonly string[]
  /** SHA-256 of the signed statement, in hexadecimal. */
  readonly statementDigest: string
  /** The earliest time at which a log or a timestamp authority saw it. */
  readonly seen: Date | null
}
