import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes-as-text.js'
import { type Bundle, parseBundle } from './bundle.js'
import { readStatement } from './read-statement.js'
import type { SignatureCheck, Signer } from './signer.js'
import type { ModelStatement } from './statement.js'

/** A bundle whose signature holds. */
export interface VerifiedBundle {
  readonly bundle: Bundle
  readonly signer: Signer
  /** SHA-256 of the payload, in hexadecimal: unlike the root digest it binds the names of the files too. */
  readonly statementDigest: string
}

/** Checks the form of a bundle and its signature, not yet what was signed. Throws `Refusal`. */
export async function verifyBundle(signature: Uint8Array, check: SignatureCheck): Promise<VerifiedBundle> {
  const bundle = parseBundle(signature)
  const signer = await check(bundle)
  return { bundle, signer, statementDigest: toHex(sha256(bundle.payload)) }
}

/** As `verifyBundle`, and reads what was signed about a model. Throws `Refusal`. */
export async function verifyStatement(
  signature: Uint8Array,
  check: SignatureCheck,
): Promise<VerifiedBundle & { readonly statement: ModelStatement }> {
  const verified = await verifyBundle(signature, check)
  return { ...verified, statement: readStatement(verified.bundle.payload) }
}
