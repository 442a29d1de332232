import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { downloadFile, snapshotDownload } from '@huggingface/hub'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { payloadSigner } from '../../src/provenance/node-sign-payload.js'
import { trustCheck } from '../../src/provenance/verify-files.js'
import { verifyBundle } from '../../src/provenance/verify-statement.js'
import { type DecisionLine, decideAsOperator, type ProxyOptions, type RunningProxy, startProxy } from '../../src/proxy/index.js'
import { HubDouble } from '../support/hub-double.js'
import { loadPolicy, signedRepository } from './signed-repository.js'
import { keyPair } from './started.js'

// The proxy with the real gate: signatures, claims, and what an operator says over them.
const operator = keyPair()
const held = { 'config.json': Buffer.from('{"a":1}'), 'sub/model.safetensors': Buffer.alloc(300_000, 'w') }
let hub: HubDouble
let proxy: RunningProxy
let scratch: string
let lines: DecisionLine[]
const openSigned = async (bundle: Uint8Array) =>
  (await verifyBundle(bundle, await trustCheck({ publicKey: operator.publicKey }))).bundle.payload

async function startHere(options: Partial<ProxyOptions> = {}): Promise<void> {
  lines = []
  const policy = await loadPolicy()
  const given = { policy, upstream: hub.url, redirectTo: [hub.cdnUrl], store: join(scratch, 'store'), nameTtlMs: 0, openSigned }
  proxy = await startProxy({ ...given, log: (line) => lines.push(line), ...options })
}
beforeEach(async () => {
  vi.spyOn(console, 'debug').mockImplementation(() => {})
  scratch = await mkdtemp(join(tmpdir(), 'assay-proxy-gate-'))
  hub = await new HubDouble().start()
  await startHere()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await proxy.close()
  await hub.stop()
  await rm(scratch, { recursive: true, force: true })
})

const ask = async (path: string) => {
  const answer = await fetch(proxy.url + path)
  const body = await answer.text()
  return { status: answer.status, code: answer.headers.get('x-assay-code'), says: answer.headers.get('x-error-message') ?? '', body }
}
const operate = async (verdict: 'quarantine' | 'release', about: string, key = operator) =>
  decideAsOperator(join(scratch, 'store'), { verdict, about, reason: 'said so' }, await payloadSigner(key))

describe('with the real gate', () => {
  it('a client gets exactly the signed bytes, signature and claims among them', async () => {
    const files = await signedRepository(held)
    hub.push('models/org/model', files)
    const folder = await snapshotDownload({ repo: 'org/model', hubUrl: proxy.url, cacheDir: join(scratch, 'cache') })
    for (const [name, bytes] of Object.entries(files)) expect((await readFile(join(folder, name))).equals(bytes), name).toBe(true)
    expect(lines[0]).toMatchObject({
      event: 'revision',
      verdict: 'allow',
      digests: { root: expect.stringMatching(/^[0-9a-f]{64}$/), statement: expect.any(String) },
    })
  })

  it.each<[string, (files: Record<string, Buffer>) => void, string]>([
    ['a changed byte', (files) => Object.assign(files, { 'config.json': Buffer.from('{"a":2}') }), 'signature-refused'],
    ['no signature', (files) => delete files['model.sig'], 'signature-refused'],
    ['a file more', (files) => Object.assign(files, { 'run.py': Buffer.from('import os') }), 'file-unsigned'],
    [
      'a renamed file',
      (files) => Object.assign(files, { 'conf.json': files['config.json'] }) && delete files['config.json'],
      'signature-refused',
    ],
    ['no claims', (files) => delete files['claims.jsonl'], 'claims-missing'],
    ['a spoilt claim', (files) => Object.assign(files, { 'claims.jsonl': Buffer.from('{}\n') }), 'claim-refused'],
    ['what git brings along', (files) => Object.assign(files, { '.gitattributes': Buffer.from('*.bin filter=lfs') }), 'file-unsigned'],
  ])('%s is refused, and the client shows the reason', async (_, spoil, code) => {
    const files = await signedRepository(held)
    spoil(files)
    hub.push('models/org/model', files)
    const { status, says, body } = await ask('/org/model/resolve/main/sub/model.safetensors')
    expect(status).toBe(403)
    expect(JSON.parse(body).reasons.map((reason: { code: string }) => reason.code)).toContain(code)
    expect(says).toContain(code)
    await expect(downloadFile({ repo: 'org/model', path: 'sub/model.safetensors', hubUrl: proxy.url })).rejects.toThrow(code)
    expect(await readdir(join(scratch, 'store/revisions'))).toEqual([])
  })

  it('a claim of FAILED is refused, and the client shows the reason', async () => {
    hub.push('models/org/model', await signedRepository(held, { result: 'FAILED' }))
    await expect(snapshotDownload({ repo: 'org/model', hubUrl: proxy.url, cacheDir: join(scratch, 'cache') })).rejects.toThrow(
      /test-failed/,
    )
  })

  it('another policy decides anew about what is stored', async () => {
    hub.push('models/org/model', await signedRepository(held))
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 200 })
    await proxy.close()
    const { policy } = await loadPolicy()
    const stricter = { ...policy, tests: [...(policy.tests ?? []), { test: 'scan', signers: ['auditor'], maxAge: '1d' }] }
    await startHere({ policy: { policy: stricter, digest: 'c'.repeat(64) } })
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 403, code: 'test-missing' })
  })
})

describe('an operator', () => {
  it('puts a revision into quarantine, and takes it out, with a reason that clients read and the log keeps', async () => {
    const commit = hub.push('models/org/model', await signedRepository(held))
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 200 })
    const { statementDigest } = await operate('quarantine', 'org/model@main')
    for (const revision of ['main', commit]) {
      expect(await ask(`/org/model/resolve/${revision}/config.json`)).toMatchObject({
        status: 403,
        code: 'quarantined',
        says: expect.stringContaining('said so'),
      })
    }
    expect(lines.filter(({ event }) => event === 'operator')).toMatchObject([
      { verdict: 'quarantine', commit, digests: { statement: statementDigest }, reasons: [{ says: 'said so' }] },
    ])
    await proxy.close()
    await startHere()
    expect(await ask(`/org/model/resolve/${commit}/config.json`)).toMatchObject({ status: 403, code: 'quarantined' })
    await operate('release', `org/model@${commit}`)
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 200 })
  })

  it('releases what the gate refused: that content, and no other', async () => {
    const files = await signedRepository(held, { result: 'FAILED' })
    const commit = hub.push('models/org/model', files)
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 403, code: 'test-failed' })
    await operate('release', `org/model@${commit}`)
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 200 })
    expect(lines.filter(({ event }) => event === 'revision').map(({ verdict }) => verdict)).toEqual(['deny', 'released'])
    await proxy.close()
    await startHere()
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 200 })
    await proxy.close()
    await startHere({ openSigned: undefined }) // the operator has no say any more
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 403, code: 'test-failed' })
    await proxy.close()
    await rm(join(scratch, 'store/revisions'), { recursive: true, force: true })
    hub.tamper('models/org/model', commit, (all) => all.set('config.json', Buffer.from('{"a":2}')))
    await startHere()
    expect(await ask(`/org/model/resolve/${commit}/config.json`)).toMatchObject({ status: 403, code: 'signature-refused' })
  })

  it('lets a name move, to the commit that was seen', async () => {
    hub.push('models/org/model', await signedRepository(held))
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 200 })
    await expect(operate('release', 'org/model@main')).rejects.toThrow('nothing is to be released')
    const second = hub.push('models/org/model', await signedRepository({ ...held, 'config.json': Buffer.from('{"a":2}') }))
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 403, code: 'revision-moved' })
    await operate('release', 'org/model@main')
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 200, body: '{"a":2}' })
    expect(lines.at(-1)).toMatchObject({ commit: second })
    hub.push('models/org/model', await signedRepository({ ...held, 'config.json': Buffer.from('{"a":3}') }))
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 403, code: 'revision-moved' })
  })

  it('is nobody whose key the proxy does not know, and says nothing about another upstream', async () => {
    const commit = hub.push('models/org/model', await signedRepository(held, { result: 'FAILED' }))
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 403 })
    await operate('release', `org/model@${commit}`, keyPair())
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 403, code: 'test-failed' })
    const store = join(scratch, 'store')
    const upstream = await readFile(join(store, 'store.json'), 'utf8')
    await writeFile(join(store, 'store.json'), JSON.stringify({ schemaVersion: 1, upstream: 'http://other.test' }))
    await operate('release', `org/model@${commit}`)
    await writeFile(join(store, 'store.json'), upstream)
    await writeFile(join(store, 'operator/x.json'), 'not a bundle')
    expect(await ask('/org/model/resolve/main/config.json')).toMatchObject({ status: 403, code: 'test-failed' })
    expect(lines.filter(({ event }) => event === 'operator').map(({ verdict }) => verdict)).toEqual(['ignored', 'ignored', 'ignored'])
    await expect(operate('release', `org/model@${'0'.repeat(40)}`)).rejects.toThrow('was not decided about')
    await expect(operate('quarantine', 'org/model@none')).rejects.toThrow('give the commit')
    await expect(operate('quarantine', 'org/../model@main')).rejects.toThrow('expected a repository')
    await expect(
      decideAsOperator(join(scratch, 'none'), { verdict: 'release', about: 'org/model@main', reason: 'x' }, async () => ''),
    ).rejects.toThrow('no store')
  })
})

it('a store belongs to one proxy and one upstream', async () => {
  await expect(startProxy({ policy: await loadPolicy(), upstream: hub.url, store: join(scratch, 'store') })).rejects.toThrow(
    'in use by the process',
  )
  await proxy.close()
  await expect(startProxy({ policy: await loadPolicy(), upstream: 'http://127.0.0.1:9', store: join(scratch, 'store') })).rejects.toThrow(
    'a store of its own',
  )
  await expect(startProxy({ policy: await loadPolicy(), upstream: 'ftp://x', store: join(scratch, 'store') })).rejects.toThrow(
    'expected a URL',
  )
  await expect(
    startProxy({ policy: await loadPolicy(), upstream: hub.url, redirectTo: ['http://x/y'], store: join(scratch, 'store') }),
  ).rejects.toThrow('expected an origin')
  await startHere()
})
