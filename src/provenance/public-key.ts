import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes-as-text.js'
import { BackendError, InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { preAuthEncoding } from './dsse.js'
import { readPem, writePem } from './pem.js'
import { ecdsaSignatureFromDer } from './strict-der.js'

/** The elliptic curves of OMS, each with its hash, and how its public keys begin in DER: named curve, uncompressed point. */
const curves = [
  {
    name: 'P-256',
    hash: 'SHA-256',
    width: 32,
    details: 'PKIX_ECDSA_P256_SHA_256',
    head: '3059301306072a8648ce3d020106082a8648ce3d03010703420004',
  },
  {
    name: 'P-384',
    hash: 'SHA-384',
    width: 48,
    details: 'PKIX_ECDSA_P384_SHA_384',
    head: '3076301006072a8648ce3d020106052b8104002203620004',
  },
  {
    name: 'P-521',
    hash: 'SHA-512',
    width: 66,
    details: 'PKIX_ECDSA_P521_SHA_512',
    head: '30819b301006072a8648ce3d020106052b810400230381860004',
  },
] as const

/** A public key that a model may be signed with. */
export interface PublicKey {
  readonly curve: (typeof curves)[number]['name']
  /** The name that sigstore has for the curve and its hash. */
  readonly details: string
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Uint8Array<ArrayBuffer>
  /** The same as PEM, in the one spelling that the hint is made of. */
  readonly pem: string
  /** SHA-256 of `pem`, in hexadecimal: how a bundle names the key. */
  readonly hint: string
  /** Whether `signature` (DER) was made with it over a DSSE envelope with this payload. */
  verify(payload: Uint8Array, signature: Uint8Array): Promise<boolean>
}

/**
 * Reads a public key (PEM, SubjectPublicKeyInfo) of P-256, P-384 or P-521. Runs wherever WebCrypto is. Throws `InputError`
 * `bad-public-key`.
 */
export async function readPublicKey(pem: string, where = 'public key'): Promise<PublicKey> {
  const blocks = readPem(pem, where, 'bad-public-key')
  const keys = blocks.filter(({ label }) => label === 'PUBLIC KEY')
  const [key] = keys
  if (!key || keys.length > 1) {
    const got = blocks.length === 0 ? 'no PEM' : blocks.map(({ label }) => showText(label)).join(', ')
    throw new InputError('bad-public-key', `${where}: got ${got}, expected one PUBLIC KEY; openssl pkey -in KEY -pubout writes one`)
  }
  const found = await importPublicKey(key.der)
  if (found) return found
  throw new InputError(
    'bad-public-key',
    `${where}: is not a key of P-256, P-384 or P-521 with a named curve and an uncompressed point; use such a key`,
  )
}

/** As `readPublicKey`, from DER; `null` where it is another kind of key. */
export async function importPublicKey(spki: Uint8Array<ArrayBuffer>): Promise<PublicKey | null> {
  const curve = curves.find(
    ({ head, width }) => toHex(spki.subarray(0, head.length / 2)) === head && spki.length === head.length / 2 + 2 * width,
  )
  if (!curve) return null
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined
  if (!subtle) {
    throw new BackendError(
      'no-webcrypto',
      'public key: there is no WebCrypto here to verify with; load the page over https, or from localhost',
    )
  }
  let key: CryptoKey
  try {
    key = await subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: curve.name }, false, ['verify'])
  } catch {
    return null // a point that is not on the curve
  }
  const pem = writePem({ label: 'PUBLIC KEY', der: spki })
  return {
    curve: curve.name,
    details: curve.details,
    spki,
    pem,
    hint: toHex(sha256(new TextEncoder().encode(pem))),
    async verify(payload, signature) {
      const raw = ecdsaSignatureFromDer(signature, curve.width)
      return raw !== null && (await subtle.verify({ name: 'ECDSA', hash: curve.hash }, key, raw, preAuthEncoding(payload)))
    },
  }
}
