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
    const [status, token] = children(timestamp.root, 2)
    if (children(status, 1)[0].toInteger() !== 0n) throw invalid('was not granted')
    const [, content] = children(token, 2)
    const signedData = children(content, 1)[0].subs
    const certificates = signedData.length === 5 ? signedData[3] : undefined
    const [version, algorithms, , last] = signedData.filter((part) => part !== certificates)
    if (version?.toInteger() !== 3n || signedData.length !== (certificates ? 5 : 4))
      throw invalid('is not of version 3, or has revocations in it')
    checkCertificates(certificates, trust)
    const signer = children(children(last, 1)[0], 6)
    const [signerVersion, , digestAlgorithm, attributes, signatureAlgorithm] = signer
    const listed = children(algorithms, 1)[0]
    const [used] = children(signatureAlgorithm, 1)
    if (signerVersion.toInteger() !== 1n || !attributes.tag.isContextSpecific(0)) throw invalid('has a signer of another version')
    if (!listed.toDER().equals(digestAlgorithm.toDER())) throw invalid('lists another digest algorithm than its signer used')
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

/** Exactly so many children. */
function children<N extends number>(parent: ASN1Obj | undefined, count: N): Tuple<N> {
  if (parent?.subs.length !== count) throw invalid(`has ${parent?.subs.length ?? 0} parts where ${count} belong`)
  return parent.subs as unknown as Tuple<N>
}

function checkCertificates(certificates: ASN1Obj | undefined, { timestampAuthorities }: TrustMaterial): void {
  if (!certificates) return
  const known = timestampAuthorities.flatMap(({ certChain }) => certChain.map(({ root }) => root.toDER()))
  const strangers = certificates.subs.filter((one) => !known.some((der) => der.equals(one.toDER())))
  if (!certificates.tag.isContextSpecific(0) || strangers.length > 0)
    throw invalid('has a certificate in it that is not of a trusted authority')
}
