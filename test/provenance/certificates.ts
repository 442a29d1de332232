import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  cryptoProvider,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { bundleMediaType } from '../../src/provenance/bundle.js'
import { preAuthEncoding } from '../../src/provenance/dsse.js'

cryptoProvider.set(globalThis.crypto)

export interface Issued {
  readonly certificate: X509Certificate
  readonly keys: CryptoKeyPair
  readonly pem: string
}

export interface IssueOptions {
  readonly name: string
  readonly issuer?: Issued
  readonly extensions?: readonly Extension[]
  readonly from?: string
  readonly to?: string
  readonly algorithm?: object
  readonly signing?: object
}

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }
const sha256 = { name: 'ECDSA', hash: 'SHA-256' }

/** Issues a certificate; without an issuer it is self-signed. */
export async function issue({
  name,
  issuer,
  extensions = [],
  from = '2026-01-01',
  to = '2027-01-01',
  ...rest
}: IssueOptions): Promise<Issued> {
  const keys = (await crypto.subtle.generateKey((rest.algorithm ?? ecdsa) as EcKeyGenParams, true, ['sign', 'verify'])) as CryptoKeyPair
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: (rest.signing ?? sha256) as EcdsaParams,
    notBefore: new Date(from),
    notAfter: new Date(to),
    extensions: [...extensions],
    serialNumber: '01',
  })
  return { certificate, keys, pem: `${certificate.toString('pem')}\n` }
}

export const authority = (pathLength?: number) => [
  new BasicConstraintsExtension(true, pathLength, true),
  new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
]
export const signer = [new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)]

/** A private key as PEM (PKCS #8). */
export async function privatePem({ keys }: Issued): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey))
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`
}

/** A bundle over a payload, signed with the first certificate's key (of P-256). */
export async function certificateBundle(payload: string, chain: readonly (Issued | Uint8Array)[]): Promise<Uint8Array> {
  const { createSign } = await import('node:crypto')
  const bytes = new TextEncoder().encode(payload)
  const sig = createSign('sha256')
    .update(preAuthEncoding(bytes))
    .sign(await privatePem(chain.find((one) => !(one instanceof Uint8Array)) as Issued))
  const der = (one: Issued | Uint8Array) =>
    Buffer.from(one instanceof Uint8Array ? one : new Uint8Array(one.certificate.rawData)).toString('base64')
  return new TextEncoder().encode(
    JSON.stringify({
      mediaType: bundleMediaType,
      verificationMaterial: { x509CertificateChain: { certificates: chain.map((one) => ({ rawBytes: der(one) })) } },
      dsseEnvelope: {
        payload: Buffer.from(bytes).toString('base64'),
        payloadType: 'application/vnd.in-toto+json',
        signatures: [{ sig: sig.toString('base64') }],
      },
    }),
  )
}
