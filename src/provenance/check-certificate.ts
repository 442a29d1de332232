import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { sameBytes } from './bytes.js'
import { type Certificate, codeSigning, parseCertificate } from './certificate.js'
import { readPem } from './pem.js'
import { importPublicKey } from './public-key.js'
import { Refusal } from './refusal.js'
import type { SignatureCheck } from './signer.js'

const anyUsage = '2.5.29.37.0'

/**
 * Checks that a bundle was signed by the holder of a certificate that one of `authorities` (PEM files, one certificate or more each)
 * vouches for at the time `at`: nothing in such a bundle proves when it was signed. Throws `InputError` `bad-certificate`.
 */
export async function certificateCheck(authorities: readonly string[], at: Date, where = 'certificate authority'): Promise<SignatureCheck> {
  const anchors: Certificate[] = []
  for (const pem of authorities) anchors.push(...(await readCertificates(pem, where)))
  if (anchors.length === 0) throw new InputError('bad-certificate', `${where}: got none, expected the PEM of one or more`)
  return async ({ material, payload, signature }) => {
    if (material.method !== 'certificate') {
      throw new Refusal('method-mismatch', `signature file: was signed by ${material.method}, expected by a certificate`)
    }
    const chain = await Promise.all(material.chain.map(parseUntrusted))
    const [leaf] = chain as [Certificate]
    const path = await findPath(chain, anchors)
    checkTimes(path, at)
    checkAuthorities(path)
    checkUsage(leaf)
    const key = await importPublicKey(leaf.spki)
    if (!key) throw new Refusal('certificate-malformed', `certificate of ${leaf.subject}: its key is not one of P-256, P-384 or P-521`)
    if (!(await key.verify(payload, signature))) {
      throw new Refusal('signature-invalid', `signature: is not one of the key of ${leaf.subject} over this payload`)
    }
    const { subject, issuer, fingerprint } = leaf
    return { method: 'certificate', subject, issuer, fingerprint, authority: (path.at(-1) as Certificate).subject }
  }
}

/** The certificates of a PEM file. Throws `InputError` `bad-certificate`. */
export async function readCertificates(pem: string, where: string): Promise<Certificate[]> {
  const blocks = readPem(pem, where, 'bad-certificate').filter(({ label }) => label === 'CERTIFICATE')
  if (blocks.length === 0) throw new InputError('bad-certificate', `${where}: has no CERTIFICATE in it, expected PEM`)
  return Promise.all(
    blocks.map(({ der }) =>
      parseCertificate(der).catch((cause) => {
        throw new InputError('bad-certificate', `${where}: a certificate in it ${showText(cause.message, 200)}`, {}, cause)
      }),
    ),
  )
}

async function parseUntrusted(der: Uint8Array<ArrayBuffer>, index: number): Promise<Certificate> {
  try {
    return await parseCertificate(der)
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : cause
    throw new Refusal('certificate-malformed', `certificate ${index + 1} of the chain: ${showText(problem, 200)}`, {}, cause)
  }
}

/**
 * From the signer to a certificate authority that was given. Each certificate of the chain must be issued by the next one, to its last,
 * so that none rides along unchecked; names alone prove nothing (a certificate whose subject is its issuer need not be self-signed).
 */
async function findPath(chain: readonly Certificate[], anchors: readonly Certificate[]): Promise<Certificate[]> {
  for (const [index, issuer] of chain.slice(1).entries()) {
    const issued = chain[index] as Certificate
    if (await issued.isIssuedBy(issuer)) continue
    throw new Refusal(
      'certificate-untrusted',
      `certificate of ${issued.subject}: is not issued by the next one of the chain, ${issuer.subject}`,
    )
  }
  const given = chain.findIndex(({ der }) => anchors.some((anchor) => sameBytes(anchor.der, der)))
  if (given >= 0) return chain.slice(0, given + 1)
  const last = chain.at(-1) as Certificate
  for (const anchor of anchors) if (await last.isIssuedBy(anchor)) return [...chain, anchor]
  throw new Refusal('certificate-untrusted', `certificate of ${last.subject}: is not issued by a certificate authority that was given`)
}

function checkTimes(path: readonly Certificate[], at: Date): void {
  for (const { subject, notBefore, notAfter } of path) {
    if (notBefore <= at && at <= notAfter) continue
    const range = `${notBefore.toISOString()} to ${notAfter.toISOString()}`
    throw new Refusal('certificate-expired', `certificate of ${subject}: is valid from ${range}, not at ${at.toISOString()}`)
  }
}

/** All but the signer's own must be certificate authorities, with no more of them below than they allow (RFC 5280 §6.1.4). */
function checkAuthorities(path: readonly Certificate[]): void {
  for (const [index, { subject, authority, keyUsage }] of path.entries()) {
    if (index === 0) continue
    if (!authority || (keyUsage && !keyUsage.keyCertSign)) {
      throw new Refusal('certificate-usage', `certificate of ${subject}: issued another one, but is not that of a certificate authority`)
    }
    if (index - 1 > authority.maxPathLength) {
      throw new Refusal(
        'certificate-usage',
        `certificate of ${subject}: allows ${authority.maxPathLength} authorities below it, has ${index - 1}`,
      )
    }
  }
}

/**
 * For digital signatures or code signing; where the extended usage is there, it must say code signing (RFC 5280 §4.2.1.12): the certificate
 * of a web server, for digital signatures too, is no signer's.
 */
function checkUsage({ subject, keyUsage, extendedKeyUsage }: Certificate): void {
  const extended = extendedKeyUsage?.some((usage) => usage === codeSigning || usage === anyUsage)
  if (extended && keyUsage?.digitalSignature !== false) return
  if (extendedKeyUsage === null && keyUsage?.digitalSignature) return
  throw new Refusal('certificate-usage', `certificate of ${subject}: is for neither digital signatures nor code signing`)
}
