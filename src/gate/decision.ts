import type { Progress } from '../core/backend.js'
import type { LoadedPolicy } from './policy.js'
import type { ReasonCode } from './reason.js'

/** What a gate decided about a model or a data set, and why. Its fields are those of `assay gate --json`. */
export interface GateDecision {
  readonly schemaVersion: 1
  readonly decision: 'allow' | 'deny'
  /** Every one that was found: of a denial at least one; of an allowance exactly one, `allowed`. */
  readonly reasons: readonly Reason[]
  readonly subject: {
    /** As it was given. */
    readonly path: string
    /** Of the files, as OpenSSF Model Signing has it (SHA-256, hexadecimal); `null` where no signature holds. It does not bind names. */
    readonly rootDigest: string | null
    /** SHA-256 of the signed statement: what claims refer to; `null` where no signature holds. */
    readonly statementDigest: string | null
  }
  /** SHA-256 of the policy that was applied: of its content with the keys it names, not of its spelling. */
  readonly policyDigest: string
  /** The claims whose signature holds, in the order of their file. */
  readonly claims: readonly GateClaim[]
}

/** One reason to decide as was decided. */
export interface Reason {
  /** Stable; docs/policy.md lists them all. */
  readonly code: ReasonCode
  /** For people, in one sentence. */
  readonly says: string
  /** The line of the claim that it is about, counted from 1. */
  readonly line?: number
  /** What about a signature is refused: a code of docs/refusals.md. */
  readonly refusal?: string
}

/** A claim whose signature holds, in short. */
export interface GateClaim {
  readonly line: number
  readonly kind: 'provenance' | 'test-result' | 'verdict'
  /** The stage that it says has been gone through, or the test that was made; of a verdict, who gave it. */
  readonly name: string
  /** Of a test and a verdict; `null` of provenance. */
  readonly result: 'PASSED' | 'WARNED' | 'FAILED' | null
  /** What it is about. */
  readonly subjects: readonly { readonly name: string; readonly rootDigest: string; readonly statementDigest: string | null }[]
  /** Names that the policy has for who signed it. */
  readonly signers: readonly string[]
  /** When what it says was so, ISO 8601: the signer's word; where a log proves an earlier time, that. */
  readonly time: string
  /** SHA-256 of the signed statement, in hexadecimal. */
  readonly statementDigest: string
}

export interface GateOptions {
  /** As `readPolicy` gives it, or the path of a policy file. Read it once where many models are decided about. */
  readonly policy: LoadedPolicy | string
  /** The folder, or file, to be decided about. */
  readonly path: string
  /** Where its signature is; default: where the policy says (`model.sig` in the folder; of a file, `PATH.sig`). */
  readonly signaturePath?: string | undefined
  /** Where its claims are; default: where the policy says (`claims.jsonl` in the folder; of a file, `PATH.claims.jsonl`). */
  readonly claimsPath?: string | undefined
  /** The time that counts for ages and certificates; default now. */
  readonly at?: Date | undefined
  /** Threads that hash, at most; default one a core. */
  readonly threads?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes hashed, of all. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * Decides whether a policy lets a model, or a data set, through. Throws `InputError` where the policy is none (`bad-policy`) or `path` cannot
 * be read: no decision then, so nothing may pass. What is wrong with signature, files or claims is a decision: `deny`.
 */
export type Gate = (options: GateOptions) => Promise<GateDecision>
