import { sha256 } from '@noble/hashes/sha2.js'
import type { Certificate as ParsedCertificate, RSAPublicKey } from 'pkijs'
import { toHex } from '../core/bytes-as-text.js'
import { showText } from '../core/untrusted-text.js'
import { sameBytes } from './bytes.js'
import { derChildren, ecdsaSignatureFromDer, isStrictDer } from './strict-der.js'

/** What of an X.509 certificate counts here. */
export interface Certificate {
  readonly der: Uint8Array<ArrayBuffer>
  readonly subject: string
  readonly issuer: string
  readonly fingerprint: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly spki: Uint8Array<ArrayBuffer>
  /** From its basic constraints: `null` where it is no certificate authority. */
  readonly authority: { readonly maxPathLength: number } | null
  /** `null` where the extension is not there. */
  readonly keyUsage: { readonly digitalSignature: boolean; readonly keyCertSign: boolean } | null
  readonly extendedKeyUsage: readonly string[] | null
  /** Whether it was issued under the name, and signed with the key, of another one. */
  isIssuedBy(other: Certificate): Promise<boolean>
  readonly parsed: ParsedCertificate
}

export const codeSigning = '1.3.6.1.5.5.7.3.3'

const oid = {
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  extendedKeyUsage: '2.5.29.37',
}
/** Signature algorithms that are still to be trusted: RSA (PKCS #1 v1.5) and ECDSA, with SHA-256, -384 and -512. */
const rsaAlgorithms = ['1.2.840.113549.1.1.11', '1.2.840.113549.1.1.12', '1.2.840.113549.1.1.13']
const ecdsaAlgorithms = ['1.2.840.10045.4.3.2', '1.2.840.10045.4.3.3', '1.2.840.10045.4.3.4']
/** Shorter ones are within reach of whoever can pay for it. */
const minRsaBits = 2048
/** Wider than any curve: only the form of the signature is looked at. */
const anyWidth = 128

/**
 * Parses an X.509 certificate, strictly: DER in its one form, an algorithm that is not broken, the same inside and outside of what is
 * signed, no extension twice, and no critical one that is not understood here. Throws `Error` with what is wrong.
 */
export async function parseCertificate(der: Uint8Array<ArrayBuffer>): Promise<Certificate> {
  const fail = (problem: string): never => {
    throw new Error(problem)
  }
  const { BasicConstraints, Certificate: Parsed, ExtKeyUsage, RSAPublicKey: RsaKey } = await import('pkijs')
  if (!isStrictDer(der)) fail('is not strict DER')
  const parsed = Parsed.fromBER(der)
  const [, algorithm, signature] = derChildren(der) as [Uint8Array, Uint8Array, Uint8Array]
  const inner = derChildren(derChildren(der)[0] as Uint8Array)[2]
  if (derChildren(der).length !== 3 || !inner || !sameBytes(inner, algorithm))
    fail('names one signature algorithm inside and another outside')
  const { algorithmId } = parsed.signatureAlgorithm
  const ecdsa = ecdsaAlgorithms.includes(algorithmId)
  if (!ecdsa && !rsaAlgorithms.includes(algorithmId)) {
    fail(`is signed by the algorithm ${showText(algorithmId)}, expected RSA (PKCS #1 v1.5) or ECDSA with SHA-256, SHA-384 or SHA-512`)
  }
  // a BIT STRING of whole bytes
  const bits = signature.subarray(signature.length - parsed.signatureValue.valueBlock.valueHexView.length - 1)
  if (bits[0] !== 0) fail('has a signature that is not whole bytes')
  if (ecdsa && !ecdsaSignatureFromDer(bits.subarray(1), anyWidth)) fail('has an ECDSA signature that is not strict DER')

  const { parsedKey } = parsed.subjectPublicKeyInfo
  if (parsedKey instanceof RsaKey && rsaBits(parsedKey) < minRsaBits) {
    fail(`has an RSA key of ${rsaBits(parsedKey)} bits, expected at least ${minRsaBits}`)
  }

  const extensions = parsed.extensions ?? []
  const twice = extensions.find(({ extnID }, i) => extensions.findIndex((other) => other.extnID === extnID) !== i)
  if (twice) fail(`has the extension ${showText(twice.extnID)} twice`)
  const unknown = extensions.find(({ critical, extnID }) => critical && !Object.values(oid).includes(extnID))
  if (unknown) fail(`has the critical extension ${showText(unknown.extnID)}, which is not understood here`)
  const value = (id: string) => extensions.find(({ extnID }) => extnID === id)?.parsedValue
  const constraints = value(oid.basicConstraints)
  const extended = value(oid.extendedKeyUsage)
  const usage = value(oid.keyUsage)
  if (constraints !== undefined && !(constraints instanceof BasicConstraints)) fail('has basic constraints that cannot be read')
  if (extended !== undefined && !(extended instanceof ExtKeyUsage)) fail('has an extended key usage that cannot be read')
  const usageBits: Uint8Array | undefined = usage?.valueBlock?.valueHexView
  if (usage !== undefined && !usageBits) fail('has a key usage that cannot be read')
  const maxPathLength = constraints?.pathLenConstraint ?? Number.POSITIVE_INFINITY
  if (typeof maxPathLength !== 'number') fail('has a path length that cannot be read')
  const [first = 0] = usageBits ?? []
  return {
    der,
    subject: showName(parsed.subject),
    issuer: showName(parsed.issuer),
    fingerprint: toHex(sha256(der)),
    notBefore: parsed.notBefore.value,
    notAfter: parsed.notAfter.value,
    spki: new Uint8Array(parsed.subjectPublicKeyInfo.toSchema().toBER()),
    authority: constraints?.cA ? { maxPathLength } : null,
    keyUsage: usageBits ? { digitalSignature: (first & 0x80) !== 0, keyCertSign: (first & 0x04) !== 0 } : null,
    extendedKeyUsage: extended ? extended.keyPurposes : null,
    parsed,
    async isIssuedBy(other) {
      if (!parsed.issuer.isEqual(other.parsed.subject)) return false
      try {
        return await parsed.verify(other.parsed)
      } catch {
        return false // a key that does not go with the algorithm
      }
    },
  }
}

function rsaBits({ modulus }: RSAPublicKey): number {
  return BigInt(`0x${toHex(modulus.valueBlock.valueHexView)}`).toString(2).length
}

const attributes: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
}

/** A distinguished name as text, one for each: `CN=signer,O=Example`. */
function showName({ typesAndValues }: ParsedCertificate['subject']): string {
  // a comma or a sign in a value would read as another part of the name, and names are compared
  const spell = (value: string) => showText(value.replace(/[\\,=+]/g, '\\$&'), 1000)
  return typesAndValues.map(({ type, value }) => `${attributes[type] ?? type}=${spell(String(value.valueBlock.value))}`).join(',')
}
