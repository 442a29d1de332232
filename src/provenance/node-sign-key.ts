import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { toBase64 } from '../core/bytes-as-text.js'
import { InputError } from '../core/errors.js'
import { sameBytes } from './bytes.js'
import type { Certificate } from './certificate.js'
import { readCertificates } from './check-certificate.js'
import { preAuthEncoding } from './dsse.js'
import { importPublicKey, type PublicKey } from './public-key.js'

const hashes = { 'P-256': 'sha256', 'P-384': 'sha384', 'P-521': 'sha512' } as const

/** Signs payloads with a key of one's own. */
export interface KeySigner {
  /** How the bundle says whose signature it is. */
  readonly material: object
  /** ECDSA (DER) over the DSSE encoding of a payload. */
  sign(payload: Uint8Array): Uint8Array
}

/**
 * Reads a private key (PEM: PKCS #8, encrypted or not, or SEC 1; P-256, P-384 or P-521), and the certificates that vouch for it, leaf
 * first. Throws `InputError` `bad-private-key` or `bad-certificate`.
 */
export async function keySigner(given: {
  readonly privateKey: string
  readonly passphrase?: string | undefined
  readonly certificateChain?: readonly string[] | undefined
}): Promise<KeySigner> {
  const key = readPrivateKey(given.privateKey, given.passphrase)
  const spki = new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }))
  const publicKey = await importPublicKey(spki)
  if (!publicKey)
    throw new InputError('bad-private-key', 'private key: is not a key of P-256, P-384 or P-521, expected one; use such a key')
  const chain = given.certificateChain?.length ? await readChain(given.certificateChain, publicKey) : null
  return {
    material: chain
      ? { x509CertificateChain: { certificates: chain.map(({ der }) => ({ rawBytes: toBase64(der) })) } }
      : { publicKey: { hint: publicKey.hint } },
    sign: (payload) => sign(hashes[publicKey.curve], preAuthEncoding(payload), key),
  }
}

function readPrivateKey(pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: 'pem', ...(passphrase === undefined ? {} : { passphrase }) })
  } catch (cause) {
    const encrypted = /ENCRYPTED/.test(pem)
    const problem = !encrypted
      ? 'is not one in PEM (PKCS #8 or SEC 1)'
      : passphrase === undefined
        ? 'is encrypted, and there is no passphrase'
        : 'cannot be decrypted with the passphrase that was given'
    throw new InputError('bad-private-key', `private key: ${problem}`, {}, cause)
  }
}

async function readChain(files: readonly string[], key: PublicKey): Promise<Certificate[]> {
  const chain: Certificate[] = []
  for (const pem of files) chain.push(...(await readCertificates(pem, 'certificate chain')))
  const fail = (problem: string) => new InputError('bad-certificate', `certificate chain: ${problem}`)
  if (!sameBytes(chain[0]?.spki ?? new Uint8Array(), key.spki)) {
    throw fail('its first certificate is not that of the private key, expected the signer first')
  }
  for (const [index, issuer] of chain.slice(1).entries()) {
    const issued = chain[index] as Certificate
    if (!(await issued.isIssuedBy(issuer))) {
      throw fail(`the certificate of ${issued.subject} is not issued by the next one, ${issuer.subject}; give them from the signer upwards`)
    }
  }
  return chain
}
