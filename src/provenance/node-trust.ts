import { OptionError } from '../core/errors.js'
import type { SignatureCheck } from './signer.js'
import { type Trust, trustCheck } from './verify-files.js'

/**
 * Whom to trust, keyless signers among them: `identity` (a mail address or URI, as it is) whom `issuer` (a URL) identified. `trustedRoot`
 * is the JSON of a sigstore trusted root; default that of the public-good instance.
 */
export type NodeTrust = Trust | { readonly identity: string; readonly issuer: string; readonly trustedRoot?: string | undefined }

/** As `trustCheck`; the sigstore client is loaded where a keyless signature is to be checked. */
export async function nodeTrustCheck(trust: NodeTrust): Promise<SignatureCheck> {
  if (!('identity' in trust)) return trustCheck(trust)
  if (trust.identity === '' || trust.issuer === '') {
    throw new OptionError('bad-option', 'trust: identity and issuer must both be given, expected who signed and who identified them')
  }
  const { keylessCheck } = await import('./node-check-keyless.js')
  return keylessCheck(trust)
}
