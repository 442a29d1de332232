import type { Bundle } from './bundle.js'

/** Who signed, as far as the signature proves it. */
export type Signer =
  | { readonly method: 'key'; readonly keyHint: string; readonly curve: string }
  | {
      readonly method: 'certificate'
      readonly subject: string
      readonly issuer: string
      /** SHA-256 of the certificate, in hexadecimal. */
      readonly fingerprint: string
      /** The certificate authority at the other end of the chain. */
      readonly authority: string
    }
  | {
      readonly method: 'keyless'
      readonly identity: string
      readonly issuer: string
      /** Proven times of the signature, ISO 8601. */
      readonly times: readonly string[]
    }

/** Checks the signature of a bundle, and says whose it is. Throws `Refusal`. */
export type SignatureCheck = (bundle: Bundle) => Promise<Signer>
