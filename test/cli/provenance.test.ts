import { createHash, generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { authority, issue, privatePem, signer } from '../provenance/certificates.js'
import { fixtures, keylessSigner } from '../provenance/made-by-others.js'
import { startSigstore } from '../provenance/sigstore-instance.js'
import { runFake } from './fake-io.js'

let scratch: string
const at = (name: string) => join(scratch, name)
const pair = generateKeyPairSync('ec', { namedCurve: 'P-384' })

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'assay-cli-sign-'))
  await mkdir(at('model/.git'), { recursive: true })
  await writeFile(at('model/weights.bin'), 'weights')
  await writeFile(at('model/.git/HEAD'), 'ref: refs/heads/main')
  await writeFile(at('signer.key'), pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(at('signer.pub'), pair.publicKey.export({ type: 'spki', format: 'pem' }))
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

const sign = (...flags: string[]) => runFake(['sign', at('model'), '--signature', at('model.sig'), ...flags])
const verify = (...flags: string[]) => runFake(['verify', at('model'), '--signature', at('model.sig'), ...flags])
const byKey = () => ['--public-key', at('signer.pub')]
const json = async () => JSON.parse(await readFile(at('result.json'), 'utf8'))

describe('assay sign and assay verify', () => {
  it('sign with a key, and verify with its public half', async () => {
    const signed = await sign('--private-key', at('signer.key'), '--json', at('result.json'))
    expect(signed).toMatchObject({ code: 0, stderr: '' })
    expect(signed.stdout).toMatch(/^signed: 1 file, in /)
    const { statementDigest } = await json()
    const verified = await verify(...byKey())
    expect(verified).toMatchObject({ code: 0, stderr: '' })
    expect(verified.stdout.replace(/\s+/g, ' ')).toMatch(
      /^verified: the one file is as signed by the key with the hint [0-9a-f]{64} Statement: sha256 [0-9a-f]{64} Not signed: \.git\/ $/,
    )
    expect(await verify(...byKey(), '--json', at('result.json'), '--quiet')).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(await json()).toEqual({
      ...{ schemaVersion: 1, verified: true, code: 'verified', reason: expect.any(String), statementDigest, unsigned: ['.git/'] },
      rootDigest: createHash('sha256').update(createHash('sha256').update('weights').digest()).digest('hex'),
      signer: { method: 'key', keyHint: expect.any(String), curve: 'P-384' },
    })
    expect(Object.keys(await json())).toEqual([
      ...['schemaVersion', 'verified', 'code', 'reason', 'signer', 'statementDigest', 'rootDigest', 'unsigned'],
    ])
    const piped = await verify(...byKey(), '--json', '-')
    expect(JSON.parse(piped.stdout)).toEqual(await json())
  })

  it('refuse with 1 and say why, in the JSON too', async () => {
    await sign('--private-key', at('signer.key'))
    await writeFile(at('model/weights.bin'), 'Weights')
    await writeFile(at('model/more\u001b[2J.bin'), '')
    const refused = await verify(...byKey(), '--ignore-unsigned', '--json', at('result.json'))
    expect(refused).toMatchObject({ code: 1, stderr: '' })
    expect(refused.stdout).toMatch(/^refused \(file-digest\): 'weights.bin' is not what was signed/)
    expect(refused.stdout).not.toContain('\u001b')
    expect(await json()).toMatchObject({
      verified: false,
      code: 'file-digest',
      unsigned: ['more\u001b[2J.bin', '.git/'],
      signer: { method: 'key' },
    })
    for (const text of ['', 'hello', '{}', '{"mediaType":1}', '[1,2']) {
      await writeFile(at('model.sig'), text)
      expect(await verify(...byKey(), '--json', at('result.json'))).toMatchObject({ code: 1 })
      expect(await json()).toMatchObject({ verified: false, signer: null, statementDigest: null, unsigned: [] })
    }
    await rm(at('model.sig'))
    expect(await verify(...byKey())).toMatchObject({ code: 1, stdout: expect.stringContaining('signature-missing') })
  })

  it('let pass what is to be ignored, by name', async () => {
    await sign('--private-key', at('signer.key'))
    await writeFile(at('model/a.log'), '')
    await writeFile(at('model/b.log'), '')
    expect(await verify(...byKey())).toMatchObject({ code: 1, stdout: expect.stringContaining('file-unsigned') })
    expect(await verify(...byKey(), '--ignore', 'a.log')).toMatchObject({ code: 1 })
    expect(await verify(...byKey(), '--ignore', 'a.log', 'b.log')).toMatchObject({ code: 0 })
    expect(await verify(...byKey(), '--ignore', 'a.log', '--ignore', 'b.log')).toMatchObject({ code: 0 })
    expect(await verify(...byKey(), '--ignore-unsigned')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Not signed: a.log, b.log, .git/'),
    })
  })

  it('take an encrypted key with its passphrase in the environment, shards and other hashes', async () => {
    await writeFile(at('signer.key'), pair.privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }))
    expect(await sign('--private-key', at('signer.key'))).toMatchObject({ code: 65, stderr: expect.stringContaining('is encrypted') })
    const argv = [
      'sign',
      at('model'),
      '--signature',
      at('model.sig'),
      '--private-key',
      at('signer.key'),
      '--hash',
      'blake3',
      '--shard-size',
      '4',
    ]
    expect(await runFake(argv, { env: { ASSAY_KEY_PASSPHRASE: 'secret' } })).toMatchObject({ code: 0 })
    expect(await verify(...byKey())).toMatchObject({ code: 0, stdout: expect.stringContaining('all 2 shards are') })
  })

  it('sign with a certificate, and verify with its authority', async () => {
    const root = await issue({ name: 'root', extensions: authority(), from: '2020-01-01', to: '2040-01-01' })
    const own = await issue({ name: 'signer', issuer: root, extensions: signer, from: '2020-01-01', to: '2040-01-01' })
    await writeFile(at('own.key'), await privatePem(own))
    await writeFile(at('own.pem'), own.pem)
    await writeFile(at('root.pem'), root.pem)
    expect(await sign('--private-key', at('own.key'), '--certificate-chain', at('own.pem'))).toMatchObject({ code: 0 })
    const verified = await verify('--certificate-authority', at('root.pem'))
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('the certificate of CN=signer from CN=root') })
    expect(await verify('--certificate-authority', at('own.pem'), at('root.pem'))).toMatchObject({ code: 0 })
    expect(await verify(...byKey())).toMatchObject({ code: 1, stdout: expect.stringContaining('method-mismatch') })
  })

  it('sign keyless, and verify by identity', async () => {
    const sigstore = await startSigstore()
    await writeFile(at('root.json'), sigstore.trustedRoot)
    const token = sigstore.token({ sub: 'me@example.com', email: 'me@example.com', iss: 'https://issuer.example.com' })
    const argv = [
      'sign',
      at('model'),
      '--signature',
      at('model.sig'),
      '--keyless',
      '--fulcio-url',
      sigstore.url,
      '--rekor-url',
      sigstore.url,
    ]
    expect(await runFake(argv, { env: { SIGSTORE_ID_TOKEN: token } })).toMatchObject({ code: 0, stderr: '' })
    const who = ['--identity', 'me@example.com', '--issuer', 'https://issuer.example.com']
    expect(await verify(...who, '--trusted-root', at('root.json'))).toMatchObject({ code: 0 })
    expect(await verify(...who)).toMatchObject({ code: 1 })
    await sigstore.close()
  })

  it('know the public-good instance', async () => {
    const { identity, issuer } = keylessSigner
    const model = join(fixtures, 'timestamped')
    const argv = ['verify', model, '--signature', join(model, 'model.sig'), '--identity', identity, '--issuer', issuer]
    expect(await runFake(argv)).toMatchObject({ code: 0, stdout: expect.stringContaining('stefanb@us.ibm.com') })
  })
})

describe('what cannot be read exits 65, with a result that is no verdict', () => {
  it.each([
    [['--public-key', 'nowhere.pub'], 'not-found'],
    [['--public-key', 'model'], 'is-folder'],
    [['--public-key', 'signer.key'], 'bad-public-key'],
    [['--certificate-authority', 'signer.pub'], 'bad-certificate'],
    [['--identity', 'a', '--issuer', 'b', '--trusted-root', 'signer.pub'], 'bad-trusted-root'],
  ])('%j', async (flags, code) => {
    await sign('--private-key', at('signer.key'))
    const argv = flags.map((flag) => (/\.|model/.test(flag) ? at(flag) : flag))
    const { code: exit, stdout, stderr } = await verify(...argv, '--json', at('result.json'))
    expect({ exit, stdout }).toEqual({ exit: 65, stdout: '' })
    expect(stderr).toMatch(/^assay: .+\n$/)
    expect(await json()).toEqual({
      schemaVersion: 1,
      verified: false,
      code,
      reason: expect.any(String),
      signer: null,
      statementDigest: null,
      rootDigest: null,
      unsigned: [],
    })
  })

  it('PATH', async () => {
    const argv = ['verify', at('nowhere'), '--signature', at('model.sig'), ...byKey(), '--json', '-']
    const { code, stdout } = await runFake(argv)
    expect(code).toBe(65)
    expect(JSON.parse(stdout)).toMatchObject({ verified: false, code: 'not-found' })
    expect(await runFake(['sign', at('nowhere'), '--signature', at('x.sig'), '--private-key', at('signer.key')])).toMatchObject({
      code: 65,
    })
    expect(await readdir(scratch)).not.toContain('x.sig')
  })
})

describe('usage exits 64 and writes nothing', () => {
  it.each([
    [['verify', 'model'], 'got no --signature'],
    [['verify', 'model', '--signature', 'x'], 'got nobody to trust'],
    [['verify', 'model', '--signature', 'x', '--public-key', 'k', '--identity', 'a', '--issuer', 'b'], 'got --public-key and --identity'],
    [['verify', 'model', '--signature', 'x', '--identity', 'a'], 'without --issuer'],
    [['verify', 'model', '--signature', 'x', '--issuer', 'a'], 'without --identity'],
    [['verify', 'model', '--signature', 'x', '--public-key', 'k', '--trusted-root', 'r'], 'got --trusted-root without --identity'],
    [['verify', 'model', '--signature', 'x', '--publik-key', 'k'], 'the nearest is --public-key'],
    [['verify', '--signature', 'x', '--public-key', 'k'], "missing required argument 'PATH'"],
    [['sign', 'model'], 'got no --signature'],
    [['sign', 'model', '--signature', 'x'], 'got nothing to sign with'],
    [['sign', 'model', '--signature', '-', '--keyless'], 'expected a file'],
    [['sign', 'model', '--signature', 'x', '--keyless', '--private-key', 'k'], 'got --private-key and --keyless'],
    [['sign', 'model', '--signature', 'x', '--keyless', '--certificate-chain', 'k'], 'got --certificate-chain with --keyless'],
    [['sign', 'model', '--signature', 'x', '--keyless', '--rekor-url', 'k'], 'expected a URL'],
    [['sign', 'model', '--signature', 'x', '--private-key', 'k', '--hash', 'md5'], 'expected one of sha256, blake2b, blake3'],
    [['sign', 'model', '--signature', 'x', '--private-key', 'k', '--json', 'x'], 'already written by --signature'],
  ])('%j', async (argv, message) => {
    const { code, stdout, stderr } = await runFake(argv)
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' })
    expect(stderr).toContain(message)
  })

  it('has an example in its help', async () => {
    for (const command of ['sign', 'verify'])
      expect((await runFake([command, '--help'])).stdout).toMatch(new RegExp(`Examples?:\\n[\\s\\S]*\\$ assay ${command} `))
  })
})
