import { createHash, generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fulcioHandler, initializeCA, initializeCTLog, initializeTLog, initializeTSA, rekorHandler, tsaHandler } from '@sigstore/mock'

/** A sigstore instance on loopback: certificate authority, certificate log, transparency log, timestamp authority, and what to trust of them. */
export interface SigstoreInstance {
  readonly url: string
  readonly trustedRoot: string
  /** A token that says who signs; the certificate authority takes its word. */
  token(claims: { readonly sub: string; readonly email?: string; readonly iss: string }): string
  close(): Promise<void>
}

/** Starts sigstore's own mock services behind one port. */
export async function startSigstore({ answering = true } = {}): Promise<SigstoreInstance> {
  const keys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const [caKeys, ctKeys, logKeys, tsaKeys] = [keys(), keys(), keys(), keys()]
  const start = new Date(Date.now() - 3_600_000)
  const ctlog = await initializeCTLog(ctKeys)
  const ca = await initializeCA(caKeys, ctlog)
  const tsa = await initializeTSA(tsaKeys)
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', async () => {
      const handler = handlers.find(({ path }) => request.url === path)
      if (!handler || !answering) return response.writeHead(503).end()
      const { statusCode, response: body, contentType = 'text/plain' } = await handler.fn(Buffer.concat(parts).toString())
      response.writeHead(statusCode, { 'content-type': contentType }).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const tlog = await initializeTLog(url, logKeys)
  const rekor = rekorHandler(tlog)
  const handlers = [fulcioHandler(ca), { ...rekor, fn: (body: string) => rekor.fn(asLogged(body)) }, tsaHandler(tsa)]
  const bytes = (view: ArrayBufferView | Buffer) => Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64')
  const log = (baseUrl: string, publicKey: Buffer, id: string) => ({
    baseUrl,
    hashAlgorithm: 'SHA2_256',
    publicKey: { rawBytes: publicKey.toString('base64'), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor: { start } },
    logId: { keyId: id },
  })
  const authority = (certificate: ArrayBufferView) => ({
    subject: { organization: 'mock', commonName: 'mock' },
    uri: url,
    certChain: { certificates: [{ rawBytes: bytes(certificate) }] },
    validFor: { start },
  })
  const trustedRoot = JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [log(url, tlog.publicKey, createHash('sha256').update(tlog.publicKey).digest('base64'))],
    certificateAuthorities: [authority(ca.rootCertificate)],
    ctlogs: [log(url, ctlog.publicKey, bytes(ctlog.logID))],
    timestampAuthorities: [authority(tsa.rootCertificate)],
  })
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return {
    url,
    trustedRoot,
    token: (claims) =>
      `${part({ alg: 'none' })}.${part({ aud: 'sigstore', email_verified: true, ...claims })}.${Buffer.from('x').toString('base64url')}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** The mock log keeps an entry as it was proposed; a real one (Rekor, types/dsse) keeps digests of it. */
function asLogged(body: string): string {
  const { kind, apiVersion, spec } = JSON.parse(body)
  const { envelope, verifiers } = spec.proposedContent
  const { payload, signatures } = JSON.parse(envelope)
  const sha256 = (data: string | Buffer) => ({ algorithm: 'sha256', value: createHash('sha256').update(data).digest('hex') })
  return JSON.stringify({
    kind,
    apiVersion,
    spec: {
      envelopeHash: sha256(envelope),
      payloadHash: sha256(Buffer.from(payload, 'base64')),
      signatures: [{ signature: signatures[0].sig, verifier: verifiers[0] }],
    },
  })
}
