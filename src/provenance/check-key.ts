import { sameBytes } from './bytes.js'
import { readPublicKey } from './public-key.js'
import { Refusal } from './refusal.js'
import type { SignatureCheck } from './signer.js'

/** Checks that a bundle was signed with one public key (PEM). Throws `InputError` `bad-public-key`. */
export async function keyCheck(pem: string, where?: string): Promise<SignatureCheck> {
  const key = await readPublicKey(pem, where)
  return async ({ material, payload, signature }) => {
    if (material.method !== 'key') {
      throw new Refusal('method-mismatch', `signature file: was signed by ${material.method}, expected by the public key that was given`)
    }
    const { hint, rawBytes, keyDetails } = material
    const named = hint !== null ? hint === key.hint : sameBytes(rawBytes ?? new Uint8Array(), new TextEncoder().encode(key.pem))
    if (!named || (keyDetails !== null && keyDetails !== key.details)) {
      throw new Refusal('key-mismatch', `signature file: names another key than the one that was given, which has the hint ${key.hint}`)
    }
    if (!(await key.verify(payload, signature))) {
      throw new Refusal('signature-invalid', 'signature: is not one of the public key that was given over this payload')
    }
    return { method: 'key', keyHint: key.hint, curve: key.curve }
  }
}
