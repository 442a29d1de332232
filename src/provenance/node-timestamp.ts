import { type ASN1Obj, RFC3161Timestamp } from '@sigstore/core'
import type { TrustMaterial } from '@sigstore/verify'
import { showText } from '../core/untrusted-text.js'
import { Refusal } from './refusal.js'
import { isStrictDer } from './strict-der.js'

/** ECDSA with SHA-256, SHA-384, SHA-512. */
const signatureAlgorithms = ['1.2.840.10045.4.3.2', '1.2.840.10045.4.3.3', '1.2.840.10045.4.3.4']

/**
 * Checks of a signed timestamp (RFC 3161) the parts that its signature does not cover, and the sigstore client does not look at: that it
 * was granted, its versions and algorithms, and that nothing rides along but certificates of a trusted authority. Gives its time, which
 * the sigstore client has yet to verify. Throws `Refusal` `timestamp-invalid`.
 */
export function checkTimestamp(der: Uint8Array, trust: TrustMaterial): Date {
  try {
    if (!isStrictDer(der)) throw invalid('is not strict DER')
    const timestamp = RFC3161Timestamp.parse(Buffer.from(der))
    const [status, token] = parts(timestamp.root, tags.sequence, 2)
    if (leaf(parts(status, tags.sequence, 1)[0], tags.integer).toInteger() !== 0n) throw invalid('was not granted')
    const [contentType, content] = parts(token, tags.sequence, 2)
    leaf(contentType, tags.oid)
    const [signedData] = parts(content, tags.context0, 1)
    const signedParts = signedData.subs
    const certificates = signedParts.length === 5 ? signedParts[3] : undefined
    if (certificates) checkCertificates(certificates, trust)
    const [version, algorithms, encapsulated, signers] = signedParts.filter((part) => part !== certificates)
    parts(signedData, tags.sequence, certificates ? 5 : 4)
    if (leaf(version, tags.integer).toInteger() !== 3n) throw invalid('is not of version 3')
    const [innerType, inner] = parts(encapsulated, tags.sequence, 2)
    leaf(innerType, tags.oid)
    leaf(parts(inner, tags.context0, 1)[0], tags.octetString)
    const [signer] = parts(signers, tags.set, 1)
    const [signerVersion, issuer, digestAlgorithm, attributes, signatureAlgorithm, signature] = parts(signer, tags.sequence, 6)
    if (leaf(signerVersion, tags.integer).toInteger() !== 1n) throw invalid('has a signer of another version')
    const [name, serial] = parts(issuer, tags.sequence, 2)
    leaf(name, tags.sequence)
    leaf(serial, tags.integer)
    leaf(attributes, tags.context0)
    leaf(signature, tags.octetString)
    if (
      !leaf(parts(algorithms, tags.set, 1)[0], tags.sequence)
        .toDER()
        .equals(digestAlgorithm.toDER())
    ) {
      throw invalid('lists another digest algorithm than its signer used')
    }
    const [used] = parts(signatureAlgorithm, tags.sequence, 1)
    if (!signatureAlgorithms.includes(used.toOID())) throw invalid('is signed by another algorithm than ECDSA with SHA-2')
    return timestamp.signingTime
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw invalid(`cannot be read: ${showText(error instanceof Error ? error.message : error)}`, error)
  }
}

function invalid(problem: string, cause?: unknown): Refusal {
  return new Refusal('timestamp-invalid', `timestamp: ${problem}`, {}, cause)
}

type Tuple<N extends number, T extends readonly ASN1Obj[] = []> = T['length'] extends N ? T : Tuple<N, readonly [...T, ASN1Obj]>

const tags = { integer: 0x02, octetString: 0x04, oid: 0x06, sequence: 0x30, set: 0x31, context0: 0xa0 } as const

/** An element that must be of one tag. */
function leaf(element: ASN1Obj | undefined, tag: number): ASN1Obj {
  if (element?.tag.toDER() !== tag) throw invalid('has a part of another type than belongs there')
  return element
}

/** The parts of an element of one tag, exactly so many. */
function parts<N extends number>(element: ASN1Obj | undefined, tag: number, count: N): Tuple<N> {
  const { subs } = leaf(element, tag)
  if (subs.length !== count) throw invalid(`has ${subs.length} parts where ${count} belong`)
  return subs as unknown as Tuple<N>
}

function checkCertificates(certificates: ASN1Obj, { timestampAuthorities }: TrustMaterial): void {
  const known = timestampAuthorities.flatMap(({ certChain }) => certChain.map(({ root }) => root.toDER()))
  const strangers = leaf(certificates, tags.context0).subs.filter((one) => !known.some((der) => der.equals(one.toDER())))
  if (strangers.length > 0) throw invalid('has a certificate in it that is not of a trusted authority')
}
