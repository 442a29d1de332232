import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newKey } from '../gate/chain-of-ten.js'
import { startSigstore } from '../provenance/sigstore-instance.js'
import { runFake } from './fake-io.js'

let scratch: string
const at = (name: string) => join(scratch, name)
const keys = { data: newKey(), auditor: newKey(), trainer: newKey() }
const policy = {
  schemaVersion: 1,
  signers: Object.fromEntries(Object.keys(keys).map((role) => [role, { publicKey: `${role}.pub` }])),
  subject: { signers: ['trainer'], stages: ['training'] },
  stages: { 'data-set': { signers: ['data'], maxAge: '1d' }, training: { signers: ['trainer'], maxAge: '1d' } },
  roots: [{ stage: 'data-set' }],
  tests: [{ test: 'lint', of: ['data-set'], signers: ['auditor'], maxAge: '1d' }],
}

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'assay-cli-gate-'))
  for (const [role, { privateKey, publicKey }] of Object.entries(keys)) {
    await writeFile(at(`${role}.key`), privateKey)
    await writeFile(at(`${role}.pub`), publicKey)
  }
  await writeFile(at('policy.json'), JSON.stringify(policy))
  await writeFile(at('lint.txt'), 'no problem')
  for (const [folder, role] of [
    ['set', 'data'],
    ['model', 'trainer'],
  ] as const) {
    await mkdir(at(folder))
    await writeFile(at(`${folder}/content.bin`), folder)
    expect((await runFake(['sign', at(folder), '--signature', at(`${folder}/model.sig`), '--private-key', at(`${role}.key`)])).code).toBe(0)
  }
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

const attest = (folder: string, role: string, ...flags: string[]) =>
  runFake(['attest', at(folder), '--private-key', at(`${role}.key`), ...flags])
const lint = (result: string) => attest('set', 'auditor', '--report', at('lint.txt'), '--test', 'lint', '--result', result)
const gate = (...flags: string[]) => runFake(['gate', at('model'), '--policy', at('policy.json'), ...flags])
const json = async (name: string) => JSON.parse(await readFile(at(name), 'utf8'))

async function wholeChain(result = 'PASSED') {
  expect(await attest('set', 'data', '--stage', 'data-set')).toMatchObject({ code: 0, stderr: '' })
  expect(await lint(result)).toMatchObject({ code: 0, stderr: '' })
  return attest('model', 'trainer', '--stage', 'training', '--input', at('set'), '--json', at('attested.json'))
}

describe('assay attest and assay gate', () => {
  it('build a chain, with the claims about what it is made of, and let it through', async () => {
    const attested = await wholeChain()
    expect(attested.stdout.replace(/\s+/g, ' ')).toMatch(
      /^attested: provenance of model Claims: 3 in \S+, 2 of them taken along from what it is made of Statement: sha256 [0-9a-f]{64} $/,
    )
    expect(await json('attested.json')).toMatchObject({
      schemaVersion: 1,
      count: 3,
      carried: 2,
      claim: { kind: 'provenance', inputs: [{ name: 'set' }] },
    })
    const allowed = await gate('--json', at('decision.json'))
    expect(allowed).toMatchObject({ code: 0, stderr: '' })
    expect(allowed.stdout).toMatch(/^allowed: /)
    const decision = await json('decision.json')
    expect(Object.keys(decision)).toEqual(['schemaVersion', 'decision', 'reasons', 'subject', 'policyDigest', 'claims'])
    expect(decision).toMatchObject({ schemaVersion: 1, decision: 'allow', reasons: [{ code: 'allowed' }], claims: [{}, {}, {}] })
    const piped = await gate('--json', '-')
    expect(JSON.parse(piped.stdout)).toEqual(decision)
    expect(await gate('--quiet')).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  it('deny with 1, every reason in words and in JSON', async () => {
    await wholeChain('FAILED')
    await writeFile(at('model/content.bin'), 'Model')
    const denied = await gate('--json', at('decision.json'))
    expect(denied).toMatchObject({ code: 1, stderr: '' })
    expect(denied.stdout).toMatch(/^denied: [\s\S]*- signature-refused: 'content\.bin' is not what was signed/)
    await writeFile(at('model/content.bin'), 'model')
    expect((await gate('--json', at('decision.json'))).stdout).toContain('- test-failed: ')
    expect(await json('decision.json')).toMatchObject({ decision: 'deny', reasons: [{ code: 'test-failed', line: 2 }] })
    const text = await readFile(at('model/claims.jsonl'), 'utf8')
    await writeFile(at('model/claims.jsonl'), `${text}\u001b[2J\n`)
    const shown = await gate()
    expect(shown.stdout).not.toContain('\u001b')
    expect(shown.stdout).toContain('claim-refused')
  })

  it('answer 65 where the policy is none or PATH is not there, and the JSON says deny', async () => {
    await wholeChain()
    await writeFile(
      at('policy.json'),
      JSON.stringify({ ...policy, tests: [], stages: undefined, roots: undefined, subject: { signers: ['trainer'] } }),
    )
    expect(await gate('--json', at('decision.json'))).toMatchObject({
      code: 65,
      stdout: '',
      stderr: expect.stringContaining('asks for no claim'),
    })
    expect(await json('decision.json')).toMatchObject({ decision: 'deny', reasons: [{ code: 'bad-policy' }], policyDigest: null })
    await writeFile(at('policy.json'), JSON.stringify(policy))
    expect(await runFake(['gate', at('nowhere'), '--policy', at('policy.json'), '--json', '-'])).toMatchObject({
      code: 65,
      stdout: expect.stringContaining('"not-found"'),
    })
    expect(await runFake(['gate', at('model'), '--policy', at('nowhere.yaml')])).toMatchObject({ code: 65 })
    await rm(at('data.pub'))
    expect(await gate()).toMatchObject({ code: 65 })
  })

  it.each([
    [['gate'], /PATH/],
    [['gate', 'model'], /got no --policy/],
    [['gate', 'model', '--policy', 'policy.json', '--private-key', 'data.key'], /without --verdict/],
    [['gate', 'model', '--policy', 'policy.json', '--verdict', 'v'], /nothing to sign with/],
    [['gate', 'model', '--polcy', 'x'], /nearest is --policy/],
    [['attest', 'model', '--private-key', 'data.key'], /nothing to claim/],
    [['attest', 'model', '--stage', 'release'], /nothing to sign with/],
    [['attest', 'model', '--stage', 'baking', '--private-key', 'data.key'], /expected one of data-set, training/],
    [['attest', 'model', 'set', '--stage', 'release', '--private-key', 'data.key'], /several PATHs/],
    [['attest', 'model', '--stage', 'release', '--test', 'x', '--private-key', 'data.key'], /got --test, expected it with --report/],
    [
      ['attest', 'model', '--report', 'lint.txt', '--input-signature', 'x', '--private-key', 'data.key'],
      /got --input-signature, expected it with --stage/,
    ],
    [['attest', 'model', '--report', 'lint.txt', '--private-key', 'data.key'], /say which test it is of/],
    [['attest', 'model', '--stage', 'release', '--finished-on', 'yesterday', '--private-key', 'data.key'], /time in UTC/],
    [['attest', 'model', '--stage', 'release', '--input', 'model', '--private-key', 'trainer.key'], /is what is made/],
  ])('answer 64: %j', async (argv, problem) => {
    const { code, stderr } = await runFake(argv.map((word) => (/^(?:model|set)$|\.(?:json|key|txt)$/.test(word) ? at(word) : word)))
    expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringMatching(problem) })
  })

  it('refuse to claim what is not so: files that were changed, a second origin, a file that is no claims', async () => {
    await wholeChain()
    expect(await attest('set', 'data', '--stage', 'data-set')).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('already says where this comes from'),
    })
    await writeFile(at('set/content.bin'), 'Set')
    expect(await lint('PASSED')).toMatchObject({ code: 65, stderr: expect.stringContaining('not what was signed') })
    await writeFile(at('set/content.bin'), 'set')
    await writeFile(at('set/claims.jsonl'), 'nonsense\n')
    expect(await lint('PASSED')).toMatchObject({ code: 65, stderr: expect.stringContaining('line 1') })
    await rm(at('set/model.sig'))
    expect(await lint('PASSED')).toMatchObject({ code: 65, stderr: expect.stringContaining('assay sign it first') })
  })

  it('know an input by its signature alone, and take settings', async () => {
    await writeFile(at('settings.json'), '{"epochs": 3}')
    const flags = ['--input-signature', at('set/model.sig'), '--parameters', at('settings.json'), '--started-on', '2026-01-01T00:00:00Z']
    expect(await attest('model', 'trainer', '--stage', 'training', ...flags)).toMatchObject({ code: 0 })
    const [line = ''] = (await readFile(at('model/claims.jsonl'), 'utf8')).split('\n')
    const { predicate, predicateType } = JSON.parse(Buffer.from(JSON.parse(line).dsseEnvelope.payload, 'base64').toString())
    expect(predicateType).toBe('https://slsa.dev/provenance/v1')
    expect(predicate).toMatchObject({
      buildDefinition: {
        buildType: 'urn:assay:stage:training:v1',
        externalParameters: { epochs: 3 },
        resolvedDependencies: [{ name: 'set' }],
      },
      runDetails: { metadata: { startedOn: '2026-01-01T00:00:00.000Z' } },
    })
    await writeFile(at('settings.json'), '[]')
    expect(await attest('model', 'trainer', '--stage', 'training', ...flags)).toMatchObject({ code: 65 })
  })

  it('write the verdict as a claim that another gate takes for a root', async () => {
    await wholeChain()
    expect(await gate('--verdict', at('verdict.jsonl'), '--private-key', at('auditor.key'))).toMatchObject({ code: 0 })
    const relying = { ...policy, tests: [], roots: [{ stage: 'training', verdictBy: ['auditor'], maxAge: '1d' }] }
    await writeFile(at('relying.json'), JSON.stringify(relying))
    const again = (...flags: string[]) =>
      runFake(['gate', at('model'), '--policy', at('relying.json'), '--claims', at('verdict.jsonl'), ...flags])
    // the claims in the folder are then nobody's
    expect(await again()).toMatchObject({ code: 1, stdout: expect.stringContaining('file-unsigned') })
    await rm(at('model/claims.jsonl'))
    expect(await again('--json', at('decision.json'))).toMatchObject({ code: 0 })
    expect(await json('decision.json')).toMatchObject({ claims: [{ kind: 'verdict', result: 'PASSED', signers: ['auditor'] }] })
  })

  it('take claims that are signed keyless, for whom the policy names and nobody else', { timeout: 60_000 }, async () => {
    const sigstore = await startSigstore()
    try {
      await writeFile(at('trusted_root.json'), sigstore.trustedRoot)
      const services = ['--keyless', '--fulcio-url', sigstore.url, '--rekor-url', sigstore.url]
      const env = {
        SIGSTORE_ID_TOKEN: sigstore.token({ sub: 'data@example.com', email: 'data@example.com', iss: 'https://issuer.example' }),
      }
      const signed = await runFake(['attest', at('set'), '--stage', 'data-set', ...services], { env })
      expect(signed).toMatchObject({ code: 0, stderr: '' })
      await lint('PASSED')
      await attest('model', 'trainer', '--stage', 'training', '--input', at('set'))
      const keyless = (identity: string) => ({ identity, issuer: 'https://issuer.example', trustedRoot: 'trusted_root.json' })
      const applied = (identity: string) => JSON.stringify({ ...policy, signers: { ...policy.signers, data: keyless(identity) } })
      await writeFile(at('policy.json'), applied('data@example.com'))
      expect(await gate()).toMatchObject({ code: 0 })
      await writeFile(at('policy.json'), applied('other@example.com'))
      expect(await gate()).toMatchObject({ code: 1, stdout: expect.stringContaining('signer-unknown') })
    } finally {
      await sigstore.close()
    }
  })

  it.each(['attest', 'gate'])('show their help with an example: %s', async (command) => {
    const { code, stdout } = await runFake([command, '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`Examples?:\n  \\$ assay ${command} `))
  })
})
