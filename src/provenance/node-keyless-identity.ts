import type { X509Certificate } from '@sigstore/core'
import { showText } from '../core/untrusted-text.js'
import { Refusal } from './refusal.js'

const subjectAlternativeName = '2.5.29.17'
/** Sigstore's own extensions: who identified the signer, as bare text (deprecated) and as DER. */
const issuerV1 = '1.3.6.1.4.1.57264.1.1'
const issuerV2 = '1.3.6.1.4.1.57264.1.8'

/**
 * Whom a Fulcio certificate was issued to, and on whose word: its one alternative name (a mail address or a URI) and the issuer. The
 * sigstore client decodes them by dropping the top bit of every byte and compares an identity as a pattern: here they are exact.
 * Throws `Refusal` `certificate-malformed`.
 */
export function keylessIdentity(certificate: X509Certificate): { identity: string; issuer: string } {
  const fail = (problem: string, cause?: unknown) => new Refusal('certificate-malformed', `certificate: ${problem}`, {}, cause)
  try {
    const names = certificate.extension(subjectAlternativeName)?.valueObj.subs[0]?.subs ?? []
    const [name] = names
    if (!name || names.length > 1 || !(name.tag.isContextSpecific(1) || name.tag.isContextSpecific(6))) {
      throw fail('expected exactly one alternative name, a mail address or a URI')
    }
    const newer = certificate.extension(issuerV2)?.valueObj.subs[0]
    const older = certificate.extension(issuerV1)
    const issuers = [...(newer ? [decode(newer.value)] : []), ...(older ? [decode(older.value)] : [])]
    const [issuer] = issuers
    if (issuer === undefined || issuers.some((other) => other !== issuer)) throw fail('names no issuer, or two')
    return { identity: decode(name.value), issuer }
  } catch (error) {
    if (error instanceof Refusal) throw error
    throw fail(`its names cannot be read: ${showText(error instanceof Error ? error.message : error)}`, error)
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}
