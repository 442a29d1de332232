import { showText } from '../core/untrusted-text.js'
import type { Bundle } from '../provenance/bundle.js'
import { type NodeTrust, nodeTrustCheck } from '../provenance/node-trust.js'
import { Refusal, type RefusalCode } from '../provenance/refusal.js'
import type { SignatureCheck, Signer } from '../provenance/signer.js'

/** Whom to trust, as `NodeTrust`; of a certificate authority's, if `subject` is there, only the holder of a certificate with it. */
export type SignerTrust = NodeTrust & { readonly subject?: string | undefined }

/** Says which of several signers signed a bundle. Throws `Refusal` where none did. */
export type SignerSearch = (bundle: Bundle) => Promise<{ readonly names: readonly string[]; readonly signer: Signer }>

/** What a check says of a signature that is somebody else's. */
const notTheirs: readonly RefusalCode[] = [
  'method-mismatch',
  'key-mismatch',
  'certificate-untrusted',
  'identity-mismatch',
  'issuer-mismatch',
]

/** Whether a refusal means that somebody unknown signed, and not that a signature is broken. */
export function isBySomebodyElse({ code }: Refusal): boolean {
  return notTheirs.includes(code)
}

/** Gets ready to tell signers, by their names, apart. Throws `InputError` where a key or certificate cannot be read. */
export async function signerSearch(signers: Readonly<Record<string, SignerTrust>>): Promise<SignerSearch> {
  const checks: (readonly [string, SignatureCheck])[] = []
  for (const [name, trust] of Object.entries(signers)) checks.push([name, withSubject(await nodeTrustCheck(trust), trust.subject)])
  return async (bundle) => {
    const names: string[] = []
    let found: Signer | null = null
    let refused: Refusal | null = null
    for (const [name, check] of checks) {
      try {
        found = await check(bundle)
        names.push(name)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        // what is wrong with a signer's own signature says more than that it is not another's
        if (!refused || isBySomebodyElse(refused)) refused = error
      }
    }
    if (found) return { names, signer: found }
    throw refused ?? new Refusal('key-mismatch', 'signature: there is nobody to trust')
  }
}

function withSubject(check: SignatureCheck, subject: string | undefined): SignatureCheck {
  if (subject === undefined) return check
  return async (bundle) => {
    const signer = await check(bundle)
    if (signer.method === 'certificate' && signer.subject === subject) return signer
    const got = signer.method === 'certificate' ? signer.subject : 'nobody'
    throw new Refusal('identity-mismatch', `certificate: is that of ${showText(got, 300)}, expected ${showText(subject, 300)}`)
  }
}
