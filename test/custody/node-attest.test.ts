import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { attest, gate, parsePolicy, type TestRequest } from '../../src/gate/index.js'
import { sign } from '../../src/provenance/node-index.js'
import { renderJson } from '../../src/report/json.js'
import type { Report } from '../../src/report/schema.js'
import { reportOf } from '../cli/fake-io.js'
import { keyOf, newKey, signFolder } from '../gate/chain-of-ten.js'
import { authority, issue, privatePem, signer } from '../provenance/certificates.js'

let scratch: string
let data: string
let model: string
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'assay-attest-'))
  data = join(scratch, 'data')
  model = join(scratch, 'model')
  for (const [folder, file, role] of [
    [data, 'activations.npy', 'data-set'],
    [model, 'model.onnx', 'training'],
  ] as const) {
    await mkdir(folder)
    await writeFile(join(folder, file), file)
    await signFolder(folder, role)
  }
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

const key = keyOf('auditor')
const audited = (verdict: Report['verdict'], sha = sha256('activations.npy')): TestRequest['report'] => {
  const report = reportOf(verdict)
  const files = [{ name: 'activations.npy', sha256: sha }]
  return { name: 'report.json', bytes: Buffer.from(renderJson({ ...report, input: { ...report.input, files } })) }
}
const extraction = (inputs: object[], of = sha256('model.onnx')) => {
  const json = { schemaVersion: 1, model: { sha256: of, name: 'model.onnx' }, inputs, layer: 'features' }
  return { name: 'extraction.json', bytes: Buffer.from(JSON.stringify(json)) }
}

describe('a test result', () => {
  it.each([
    ['clean', undefined, 'PASSED'],
    ['inconclusive', undefined, 'WARNED'],
    ['suspicious', undefined, 'FAILED'],
    ['poisoned', undefined, 'FAILED'],
    ['suspicious', 'poisoned', 'WARNED'],
    ['inconclusive', 'inconclusive', 'FAILED'],
  ] as const)('of an audit that came out %s, to fail on %s, is %s', async (verdict, failOn, result) => {
    const report = audited(verdict)
    const { bundle, claim } = await attest({ subjects: [{ path: data }], report, failOn }, key)
    expect(claim).toMatchObject({ kind: 'test-result', result, tests: [{ name: 'audit', result }] })
    const statement = JSON.parse(Buffer.from(JSON.parse(bundle).dsseEnvelope.payload, 'base64').toString())
    expect(statement).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://in-toto.io/attestation/test-result/v0.1',
    })
    const digest = { sha256: createHash('sha256').update(report.bytes).digest('hex') }
    expect(statement.predicate.configuration).toEqual([{ name: 'report.json', digest, annotations: { finishedOn: expect.any(String) } }])
  })

  it('of a scan is named so', async () => {
    const scan = { schemaVersion: 1, verdict: 'poisoned', score: 1, target: null, classes: [], findings: [] }
    const report = { name: 'scan.json', bytes: Buffer.from(JSON.stringify(scan)) }
    expect((await attest({ subjects: [{ path: model }], report }, key)).claim).toMatchObject({
      tests: [{ name: 'scan', result: 'FAILED' }],
    })
  })

  it('is of the files that the report is about, or of what they were extracted from', async () => {
    const elsewhere = audited('clean', sha256('other activations'))
    const both = [{ path: data }, { path: model }]
    const unbound = { code: 'report-unbound' }
    await expect(attest({ subjects: both, report: elsewhere }, key)).rejects.toMatchObject(unbound)
    const inputs = [{ name: 'activations.npy', sha256: sha256('activations.npy') }]
    const { claim } = await attest({ subjects: both, report: elsewhere, extraction: extraction(inputs) }, key)
    expect(claim).toMatchObject({
      subjects: [{ name: 'data' }, { name: 'model' }],
      configuration: [{ name: 'report.json' }, { name: 'extraction.json' }],
    })
    const { rootDigest } = claim.subjects[1] as { rootDigest: string }
    await attest({ subjects: both, report: elsewhere, extraction: extraction(inputs, rootDigest) }, key)
    const record = JSON.parse(String(extraction(inputs).bytes))
    const withWeights = { ...record, model: { ...record.model, files: [{ name: 'weights.bin', sha256: sha256('x') }] } }
    for (const wrong of [
      extraction([{ name: 'x', sha256: sha256('x') }]),
      extraction(inputs, sha256('other model')),
      { name: 'extraction.json', bytes: Buffer.from(JSON.stringify(withWeights)) },
    ]) {
      await expect(attest({ subjects: both, report: elsewhere, extraction: wrong }, key)).rejects.toMatchObject(unbound)
    }
    await expect(attest({ subjects: [{ path: data }], report: elsewhere, extraction: extraction(inputs) }, key)).rejects.toMatchObject(
      unbound,
    )
    for (const bytes of ['', '{}', JSON.stringify({ schemaVersion: 2, model: { sha256: sha256('') }, inputs })]) {
      const record = { name: 'extraction.json', bytes: Buffer.from(bytes) }
      await expect(attest({ subjects: both, report: elsewhere, extraction: record }, key)).rejects.toMatchObject({ code: 'bad-extraction' })
    }
  })

  it('of arrays in memory binds nothing, and is refused', async () => {
    const report = { name: 'report.json', bytes: Buffer.from(renderJson(reportOf('clean'))) }
    await expect(attest({ subjects: [{ path: data }], report }, key)).rejects.toMatchObject({ code: 'report-unbound' })
  })

  it("is said by Assay's own report, and by nobody in its place", async () => {
    const subjects = [{ path: data }]
    const bad = { name: 'OptionError', code: 'bad-option' }
    await expect(attest({ subjects, report: audited('poisoned'), test: 'audit', result: 'PASSED' }, key)).rejects.toMatchObject(bad)
    const text = { name: 'a.txt', bytes: Buffer.from('fine') }
    await expect(attest({ subjects, report: text, test: 'audit', result: 'PASSED' }, key)).rejects.toMatchObject(bad)
    await expect(attest({ subjects, report: text, test: 'lint' }, key)).rejects.toMatchObject(bad)
    await expect(attest({ subjects: [], report: text, test: 'lint', result: 'PASSED' }, key)).rejects.toMatchObject(bad)
    await expect(
      attest({ subjects: [{ path: data }, { path: data }], report: text, test: 'lint', result: 'PASSED' }, key),
    ).rejects.toMatchObject(bad)
  })
})

describe('what cannot be so is not signed', () => {
  const stage = 'data-set'
  it.each([
    ['a stage that there is not', { stage: 'baking' as 'release' }],
    ['a builder without a URI', { builder: 'me' }],
    ['an end before the beginning', { startedOn: new Date('2026-01-02'), finishedOn: new Date('2026-01-01') }],
    ['a time that is none', { finishedOn: new Date(Number.NaN) }],
  ])('%s', async (_, change) => {
    await expect(attest({ stage, output: { path: data }, ...change }, key)).rejects.toMatchObject({
      name: 'OptionError',
      code: 'bad-option',
    })
  })

  it('of what is not signed, or no longer what was signed', async () => {
    await writeFile(join(data, 'activations.npy'), 'other')
    await expect(attest({ stage, output: { path: data } }, key)).rejects.toMatchObject({ name: 'InputError', code: 'file-digest' })
    await rm(join(data, 'model.sig'))
    await expect(attest({ stage, output: { path: data } }, key)).rejects.toMatchObject({ code: 'signature-missing' })
    await expect(attest({ stage, output: { path: join(scratch, 'nowhere') } }, key)).rejects.toMatchObject({ code: 'not-found' })
    await expect(attest({ stage, output: { path: model } }, { privateKey: 'none' })).rejects.toMatchObject({ code: 'bad-private-key' })
  })
})

it('claims may be signed with a certificate, by the subject that the policy names and nobody else', async () => {
  const span = { from: '2026-01-01', to: '2036-01-01' }
  const root = await issue({ name: 'root', extensions: authority(), ...span })
  const at = new Date('2026-11-01')
  const lines: string[] = []
  const own = newKey()
  const signaturePath = join(data, 'model.sig')
  await writeFile(signaturePath, (await sign(data, own, { signaturePath })).bundle)
  for (const [name, from] of [
    ['trainer', '2026-01-01'],
    ['web', '2026-01-01'],
    ['trainer', '2026-12-01'],
  ] as const) {
    const leaf = await issue({ name, issuer: root, extensions: signer, from, to: '2027-12-31' })
    const holder = { privateKey: await privatePem(leaf), certificateChain: [leaf.pem] }
    lines.push((await attest({ stage: 'data-set', output: { path: data }, finishedOn: new Date('2026-10-31') }, holder)).bundle)
  }
  const policy = await parsePolicy(
    JSON.stringify({
      schemaVersion: 1,
      signers: { own: { publicKey: own.publicKey }, trainer: { certificateAuthorities: [root.pem], subject: 'CN=trainer' } },
      subject: { signers: ['own'], stages: ['data-set'] },
      stages: { 'data-set': { signers: ['trainer'], maxAge: '2d' } },
      roots: [{ stage: 'data-set' }],
    }),
  )
  const decide = async (line = '') => {
    await writeFile(join(data, 'claims.jsonl'), line)
    const { reasons } = await gate({ policy, path: data, at })
    return reasons.map(({ code, refusal }) => (refusal ? `${code}: ${refusal}` : code))
  }
  expect(await decide(lines[0])).toEqual(['allowed'])
  expect(await decide(lines[1])).toEqual(['signer-unknown: identity-mismatch', 'link-missing'])
  expect(await decide(lines[2])).toEqual(['claim-refused: certificate-expired', 'link-missing'])
  const spoiled = JSON.parse(lines[0] as string)
  const [certificate] = spoiled.verificationMaterial.x509CertificateChain.certificates
  const der = Buffer.from(certificate.rawBytes, 'base64')
  for (const byte of [0, 20, 100, der.length - 1]) {
    const changed = Buffer.from(der)
    changed[byte] = (changed[byte] as number) ^ 1
    certificate.rawBytes = changed.toString('base64')
    expect((await decide(`${JSON.stringify(spoiled)}\n`))[0], `byte ${byte}`).toMatch(/^(?:claim-refused|signer-unknown): certificate-/)
  }
  expect(await readFile(signaturePath, 'utf8')).toContain('publicKey')
})
