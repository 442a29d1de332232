import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sign, verify } from '../../src/provenance/node-index.js'
import { type SigstoreInstance, startSigstore } from './sigstore-instance.js'

let sigstore: SigstoreInstance
let other: SigstoreInstance
let scratch: string
let model: string
const signature = () => join(scratch, 'model.sig')
const claims = { sub: 'signer@example.com', email: 'signer@example.com', iss: 'https://issuer.example.com' }
const who = { identity: 'signer@example.com', issuer: 'https://issuer.example.com' }

beforeAll(async () => {
  sigstore = await startSigstore()
  other = await startSigstore()
  scratch = await mkdtemp(join(tmpdir(), 'assay-keyless-'))
  model = join(scratch, 'model')
  await mkdir(model)
  await writeFile(join(model, 'weights.bin'), 'weights')
})
afterAll(async () => {
  await sigstore.close()
  await other.close()
  await rm(scratch, { recursive: true, force: true })
})

async function signKeyless(options = {}) {
  const keyless = { identityToken: sigstore.token(claims), fulcioUrl: sigstore.url, rekorUrl: sigstore.url, ...options }
  const signed = await sign(model, { keyless })
  await writeFile(signature(), signed.bundle)
  return signed
}

const verifyBy = (trust = {}) => verify(model, signature(), { ...who, trustedRoot: sigstore.trustedRoot, ...trust })

describe('keyless', () => {
  it('signs by the sigstore client, and verifies against the trusted root of its instance alone', async () => {
    await signKeyless()
    const result = await verifyBy()
    expect(result).toMatchObject({ verified: true, code: 'verified', signer: { method: 'keyless', ...who } })
    expect((result.signer as unknown as { times: readonly string[] }).times).toHaveLength(1)
    expect((await verifyBy({ trustedRoot: other.trustedRoot })).verified).toBe(false)
    expect((await verifyBy({ trustedRoot: undefined })).verified).toBe(false)
    expect(await verifyBy({ identity: 'other@example.com' })).toMatchObject({ code: 'identity-mismatch' })
    expect(await verifyBy({ identity: 'signer.example.com' })).toMatchObject({ code: 'identity-mismatch' })
    expect(await verifyBy({ issuer: 'https://issuer.example' })).toMatchObject({ code: 'issuer-mismatch' })
    await writeFile(join(model, 'weights.bin'), 'Weights')
    expect(await verifyBy()).toMatchObject({ code: 'file-digest', signer: { ...who } })
    await writeFile(join(model, 'weights.bin'), 'weights')
  })

  it('takes a log entry of another signature, and one of another log, for none', async () => {
    await signKeyless()
    const first = JSON.parse(await readFile(signature(), 'utf8'))
    await signKeyless()
    const second = JSON.parse(await readFile(signature(), 'utf8'))
    const mixed = structuredClone(first)
    mixed.verificationMaterial.tlogEntries = second.verificationMaterial.tlogEntries
    await writeFile(signature(), JSON.stringify(mixed))
    expect(await verifyBy()).toMatchObject({ code: 'log-entry-invalid' })
    await signKeyless({ rekorUrl: other.url })
    expect(await verifyBy()).toMatchObject({ code: 'log-entry-invalid' })
    await signKeyless({ fulcioUrl: other.url })
    expect(await verifyBy()).toMatchObject({ code: 'certificate-untrusted' })
  })

  it('has its certificate valid when the log saw it, not now', async () => {
    await signKeyless()
    const root = JSON.parse(sigstore.trustedRoot)
    root.certificateAuthorities[0].validFor.end = new Date(Date.now() - 60_000)
    expect((await verifyBy({ trustedRoot: JSON.stringify(root) })).verified).toBe(false)
    const log = JSON.parse(sigstore.trustedRoot)
    log.tlogs[0].publicKey.validFor.end = new Date(Date.now() - 60_000)
    expect(await verifyBy({ trustedRoot: JSON.stringify(log) })).toMatchObject({ code: 'log-entry-invalid' })
  })

  it('takes nothing for a trusted root that is none', async () => {
    for (const trustedRoot of [
      '',
      'hello',
      '{}',
      '[]',
      '{"tlogs":[]}',
      JSON.stringify({ ...JSON.parse(sigstore.trustedRoot), tlogs: [] }),
    ]) {
      await expect(verifyBy({ trustedRoot }), trustedRoot).rejects.toMatchObject({ code: 'bad-trusted-root' })
    }
  })

  it('says what a service did not do, and keeps the token to itself', async () => {
    const silent = await startSigstore({ answering: false })
    const token = sigstore.token(claims)
    const failed = signKeyless({ fulcioUrl: silent.url, identityToken: token })
    await expect(failed).rejects.toMatchObject({ code: 'signing-service' })
    await expect(failed).rejects.not.toThrow(token)
    await expect(signKeyless({ identityToken: 'no-token' })).rejects.toMatchObject({ code: 'signing-service' })
    await expect(signKeyless({ identityToken: 'no-token' })).rejects.not.toThrow('no-token')
    await silent.close()
  }, 120_000)
})
