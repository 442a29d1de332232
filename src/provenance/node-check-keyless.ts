import { bundleFromJSON } from '@sigstore/bundle'
import { X509Certificate } from '@sigstore/core'
import { TrustedRoot } from '@sigstore/protobuf-specs'
import { type TrustMaterial, toSignedEntity, toTrustMaterial, VerificationError, Verifier } from '@sigstore/verify'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { Bundle } from './bundle.js'
import { codeSigning } from './certificate.js'
import { keylessIdentity } from './node-keyless-identity.js'
import { checkLogEntry } from './node-log-entry.js'
import { checkTimestamp } from './node-timestamp.js'
import { publicGoodTrustedRoot } from './public-good-root.js'
import { Refusal, type RefusalCode } from './refusal.js'
import type { SignatureCheck } from './signer.js'
import { isStrictDer } from './strict-der.js'

export interface KeylessTrust {
  readonly identity: string
  readonly issuer: string
  readonly trustedRoot?: string | undefined
}

/**
 * Checks, offline, that a bundle was signed by `identity`, whom `issuer` identified, as the certificate of a sigstore instance says; that
 * the signature is in its transparency log; and that the certificate was valid when the log or a timestamp authority saw it. The sigstore
 * client does the cryptography; what it leaves open (see the files beside) is checked besides. Throws `InputError` `bad-trusted-root`.
 */
export async function keylessCheck({ identity, issuer, trustedRoot }: KeylessTrust): Promise<SignatureCheck> {
  const trust = readTrustedRoot(trustedRoot ?? publicGoodTrustedRoot)
  return async (bundle) => {
    const { material } = bundle
    if (material.method !== 'keyless') {
      throw new Refusal('method-mismatch', `signature file: was signed by ${material.method}, expected keyless, by an identity`)
    }
    if (material.logEntries.length === 0) {
      throw new Refusal('log-entry-missing', 'signature file: has no log entry, expected at least one with a keyless signature')
    }
    const certificate = readCertificate(material.certificate)
    for (const entry of material.logEntries) checkLogEntry(entry, material.certificate, trust)
    const times = material.timestamps.map((timestamp) => checkTimestamp(timestamp, trust))
    for (const { promised, integratedTime } of material.logEntries) if (promised) times.push(new Date(Number(integratedTime) * 1000))
    verifyBySigstore(bundle, trust)
    const signer = keylessIdentity(certificate)
    if (signer.identity !== identity) {
      throw new Refusal(
        'identity-mismatch',
        `certificate: was issued to '${showText(signer.identity, 200)}', expected '${showText(identity, 200)}'`,
      )
    }
    if (signer.issuer !== issuer) {
      throw new Refusal(
        'issuer-mismatch',
        `certificate: '${showText(signer.issuer, 200)}' identified the signer, expected '${showText(issuer, 200)}'`,
      )
    }
    return { method: 'keyless', ...signer, times: times.map((time) => time.toISOString()) }
  }
}

function readTrustedRoot(json: string): TrustMaterial {
  try {
    const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(json)))
    if (trust.tlogs.length > 0 && trust.certificateAuthorities.length > 0) return trust
  } catch (cause) {
    throw new InputError('bad-trusted-root', 'trusted root: is not one of sigstore, expected its trusted_root.json', {}, cause)
  }
  throw new InputError(
    'bad-trusted-root',
    'trusted root: has no log or no certificate authority, expected the trusted_root.json of a sigstore instance',
  )
}

function readCertificate(der: Uint8Array): X509Certificate {
  const fail = (problem: string, cause?: unknown) => new Refusal('certificate-malformed', `certificate: ${problem}`, {}, cause)
  if (!isStrictDer(der)) throw fail('is not strict DER')
  let certificate: X509Certificate
  let usages: string[]
  let whole: boolean
  try {
    certificate = X509Certificate.parse(Buffer.from(der))
    // three parts, the algorithm the same inside and outside of what is signed, the signature whole bytes
    const [tbs, algorithm, signature] = certificate.root.subs
    const inner = tbs?.subs[2] // after version and serial number
    whole =
      certificate.root.subs.length === 3 &&
      signature?.value[0] === 0 &&
      algorithm?.toDER().equals(inner?.toDER() ?? Buffer.alloc(0)) === true
    usages = certificate.extension('2.5.29.37')?.valueObj.subs[0]?.subs.map((usage) => usage.toOID()) ?? []
  } catch (cause) {
    throw fail('cannot be read', cause)
  }
  if (!whole) throw fail('names one signature algorithm inside and another outside, or has a signature that is not whole bytes')
  if (!usages.includes(codeSigning))
    throw new Refusal('certificate-usage', 'certificate: is not for code signing, expected that of a keyless signer')
  return certificate
}

const codes: Readonly<Record<string, RefusalCode>> = {
  TLOG_ERROR: 'log-entry-invalid',
  TLOG_BODY_ERROR: 'log-entry-invalid',
  TLOG_INCLUSION_PROOF_ERROR: 'log-entry-invalid',
  TLOG_INCLUSION_PROMISE_ERROR: 'log-entry-invalid',
  TLOG_MISSING_INCLUSION_ERROR: 'log-entry-invalid',
  CERTIFICATE_ERROR: 'certificate-untrusted',
  SIGNATURE_ERROR: 'signature-invalid',
  TIMESTAMP_ERROR: 'timestamp-invalid',
}

/** Signature, chain, certificate log, transparency log and times, by the sigstore client. Whoever is signed for is not its question. */
function verifyBySigstore({ json }: Bundle, trust: TrustMaterial): void {
  try {
    // each of the three must be there at least once: its defaults today, and this check's whatever they become
    new Verifier(trust, { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: 1 }).verify(toSignedEntity(bundleFromJSON(json)))
  } catch (error) {
    const message = showText(error instanceof Error ? error.message : error, 200)
    if (!(error instanceof VerificationError)) {
      throw new Refusal('bundle-malformed', `signature file: the sigstore client cannot read it: ${message}`, {}, error)
    }
    const inner = error.cause instanceof Error ? `: ${showText(error.cause.message, 200)}` : ''
    const code = inner.includes('expired') ? 'certificate-expired' : (codes[error.code] ?? 'bundle-malformed')
    throw new Refusal(code, `keyless signature: ${message}${inner}`, {}, error)
  }
}
