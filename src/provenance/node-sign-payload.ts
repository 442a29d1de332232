import { toBase64 } from '../core/bytes-as-text.js'
import { bundleMediaType } from './bundle.js'
import { inTotoPayloadType } from './dsse.js'
import { type KeySigner, keySigner } from './node-sign-key.js'
import type { KeylessOptions } from './node-sign-keyless.js'

/** With what to sign. PEM; `certificateChain` leaf first. */
export type SigningKey =
  | { readonly privateKey: string; readonly passphrase?: string | undefined; readonly certificateChain?: readonly string[] | undefined }
  | { readonly keyless: KeylessOptions }

/** Signs an in-toto statement; gives the bundle, as JSON on one line. */
export type PayloadSigner = (payload: Uint8Array) => Promise<string>

/**
 * Gets ready to sign, so that a key that cannot be used is found before any work is done. Throws `InputError` `bad-private-key` or
 * `bad-certificate`; the signer that it gives throws, for keyless signing, what `signKeyless` does.
 */
export async function payloadSigner(key: SigningKey): Promise<PayloadSigner> {
  if ('privateKey' in key) {
    const signer = await keySigner(key)
    return async (payload) => writeBundle(payload, signer)
  }
  return async (payload) => (await import('./node-sign-keyless.js')).signKeyless(payload, key.keyless)
}

function writeBundle(payload: Uint8Array, { material, sign }: KeySigner): string {
  const bundle = {
    mediaType: bundleMediaType,
    verificationMaterial: { ...material, tlogEntries: [] },
    dsseEnvelope: { payload: toBase64(payload), payloadType: inTotoPayloadType, signatures: [{ sig: toBase64(sign(payload)), keyid: '' }] },
  }
  return `${JSON.stringify(bundle)}\n`
}
