import { createHash, generateKeyPairSync } from 'node:crypto'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { blake3 } from '@noble/hashes/blake3.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { preAuthEncoding } from '../../src/provenance/dsse.js'
import { readPublicKey, type SignOptions, sign, verify } from '../../src/provenance/node-index.js'
import { describeModel } from '../../src/provenance/node-sign.js'
import { writeStatement } from '../../src/provenance/statement.js'
import { sharedProvenance } from '../support/shared-provenance.js'
import { authority, issue, privatePem, signer } from './certificates.js'
import { fixtures, referenceKey } from './made-by-others.js'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const privateKey = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string

let scratch: string
let model: string
let signature: string
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'assay-sign-'))
  model = join(scratch, 'model')
  signature = join(scratch, 'model.sig')
  await put('model/weights.bin', 'weights')
  await put('model/d/config.json', '{}')
})
afterEach(async () => {
  await rm(scratch, { recursive: true, force: true })
})

async function put(name: string, text: string | Uint8Array): Promise<void> {
  await mkdir(join(scratch, name, '..'), { recursive: true })
  await writeFile(join(scratch, name), text)
}

async function signHere(options: SignOptions = {}, path = model) {
  const signed = await sign(path, { privateKey }, { signaturePath: signature, ...options })
  await writeFile(signature, signed.bundle)
  return signed
}

const verifyHere = (options = {}, path = model) => verify(path, signature, { publicKey }, options)

describe('statements are those of the reference implementation, byte for byte', () => {
  const makers: Record<string, () => Promise<void>> = {
    sample_model: async () => {
      for (const i of [0, 1]) for (const j of [0, 1, 2]) await put(`sample_model/d${i}/f${i}${j}`, `This is file f${i}${j} in d${i}.`)
      for (const i of [0, 1, 2, 3]) await put(`sample_model/f${i}`, `This is file f${i} in root.`)
    },
    file_model: () => put('file_model', 'This is a simple model'),
    symlink_model: async () => {
      await put('elsewhere', 'This is a simple model')
      await mkdir(join(scratch, 'symlink_model'))
      await symlink(join(scratch, 'elsewhere'), join(scratch, 'symlink_model/symlink_file'))
    },
    deep_model: async () => {
      for (const i of [0, 1, 2, 3]) await put(`deep_model/d0/d1/d2/d3/d4/f${i}`, `This is file f${i}.`)
    },
    empty_file_model: () => put('empty_file_model', ''),
    empty_folder_model: () => mkdir(join(scratch, 'empty_folder_model')).then(() => undefined),
    empty_file_inside_model: () => put('empty_file_inside_model/empty_file', ''),
  }
  const shared = sharedProvenance()
  const own = join(fixtures, 'statements')
  const goldens = shared ? join(shared, 'goldens/payload-goldens/TestPayload') : own
  it.each([own, goldens])('%s', async (folder) => {
    for (const name of await readdir(folder)) {
      const text = await readFile(join(folder, name), 'utf8')
      const golden = JSON.parse(text)
      const { method, hash_type: hashType, allow_symlinks: allowSymlinks, shard_size: shardSize = null } = golden.predicate.serialization
      const subject = golden.subject[0].name as string
      await rm(join(scratch, subject), { recursive: true, force: true })
      await (makers[subject] as () => Promise<void>)()
      const serialization = { method, hashType, allowSymlinks, shardSize, ignorePaths: [] }
      const { statement } = await describeModel(join(scratch, subject), serialization)
      // the reference implementation writes whole numbers as floats; its files end in a line break
      expect(`${writeStatement(statement)}\n`, name).toBe(text.replace(/("shard_size": \d+)\.0/, '$1').replace(/\[\n\s*\]/, '[]'))
    }
  })

  it('and so are the DSSE encoding and the hint of a key', async () => {
    expect(Buffer.from(preAuthEncoding(Buffer.from('hello world'), 'http://example.com/HelloWorld')).toString()).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world', // the test vector of the DSSE specification
    )
    expect(Buffer.from(preAuthEncoding(Buffer.from('ü'))).toString()).toBe('DSSEv1 28 application/vnd.in-toto+json 2 ü')
    const golden = JSON.parse(await readFile(join(fixtures, 'v1.1.0-elliptic-key/model.sig'), 'utf8'))
    const { hint } = golden.verificationMaterial.publicKey
    expect((await readPublicKey(referenceKey)).hint).toBe(hint)
    expect((await readPublicKey(`text before\r\n${referenceKey.replaceAll('\n', '\r\n')}`)).hint).toBe(hint)
  })
})

describe('what is signed verifies', () => {
  it.each([
    ['P-256', 'pkcs8'],
    ['P-384', 'pkcs8'],
    ['P-521', 'pkcs8'],
    ['P-256', 'sec1'],
    ['P-521', 'sec1'],
  ] as const)('by a key of %s (%s), encrypted or not', async (namedCurve, type) => {
    const keys = generateKeyPairSync('ec', { namedCurve })
    const trust = { publicKey: keys.publicKey.export({ type: 'spki', format: 'pem' }) as string }
    for (const passphrase of [undefined, 'secret']) {
      const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase }
      const pem = keys.privateKey.export({ type, format: 'pem', ...cipher } as never) as unknown as string
      await writeFile(signature, (await sign(model, { privateKey: pem, passphrase })).bundle)
      expect(await verify(model, signature, trust)).toMatchObject({ verified: true, signer: { curve: namedCurve } })
      if (passphrase === undefined) continue
      for (const wrong of [undefined, 'guess']) {
        await expect(sign(model, { privateKey: pem, passphrase: wrong })).rejects.toMatchObject({ code: 'bad-private-key' })
      }
    }
    expect(await verifyHere()).toMatchObject({ code: 'key-mismatch' })
  })

  it('by a chain of certificates', async () => {
    const root = await issue({ name: 'root', extensions: authority() })
    const middle = await issue({ name: 'middle', issuer: root, extensions: authority() })
    const leaf = await issue({ name: 'signer', issuer: middle, extensions: signer })
    const key = await privatePem(leaf)
    for (const chain of [[leaf.pem, middle.pem], [leaf.pem + middle.pem], [leaf.pem, middle.pem, root.pem]]) {
      await writeFile(signature, (await sign(model, { privateKey: key, certificateChain: chain })).bundle)
      const trust = { certificateAuthorities: [root.pem], at: new Date('2026-07-01') }
      expect(await verify(model, signature, trust)).toMatchObject({
        verified: true,
        signer: { subject: 'CN=signer', authority: 'CN=root' },
      })
    }
    for (const chain of [[middle.pem, leaf.pem], [leaf.pem, root.pem], [root.pem]]) {
      await expect(sign(model, { privateKey: key, certificateChain: chain })).rejects.toMatchObject({ code: 'bad-certificate' })
    }
  })

  it.each(['sha256', 'blake2b', 'blake3'] as const)('with %s, whole files and shards', async (hash) => {
    await put(
      'model/large.bin',
      new Uint8Array(3_000_000).map((_, i) => i % 251),
    )
    await put('model/empty.bin', '')
    const { statement } = await signHere({ hash })
    const bytes = await readFile(join(model, 'large.bin'))
    const expected = {
      sha256: () => createHash('sha256').update(bytes).digest('hex'),
      blake2b: () => createHash('blake2b512').update(bytes).digest('hex'),
      blake3: () => Buffer.from(blake3(bytes)).toString('hex'),
    }
    expect(statement.resources.find(({ name }) => name === 'large.bin')?.digest).toBe(expected[hash]())
    expect(statement.resources.map(({ name }) => name)).toEqual(['d/config.json', 'empty.bin', 'large.bin', 'weights.bin'])
    expect(await verifyHere()).toMatchObject({ verified: true, unsigned: [] })

    const sharded = await signHere({ hash, method: 'shards', shardSize: 1_250_000 })
    expect(sharded.statement.resources.map(({ name }) => name)).toEqual([
      'd/config.json:0:2',
      'large.bin:0:1250000',
      'large.bin:1250000:2500000',
      'large.bin:2500000:3000000',
      'weights.bin:0:7',
    ])
    expect(await verifyHere()).toMatchObject({ verified: true, unsigned: ['empty.bin'] })
    bytes[2_499_999] = 0
    await writeFile(join(model, 'large.bin'), bytes)
    expect(await verifyHere()).toMatchObject({ code: 'file-digest', reason: expect.stringContaining('large.bin:1250000:2500000') })
    await writeFile(join(model, 'large.bin'), bytes.subarray(0, 2_500_000))
    expect(await verifyHere()).toMatchObject({ code: 'file-digest' })
  })

  it('a single file, whatever it is called', async () => {
    const { statement } = await signHere({}, join(model, 'weights.bin'))
    expect(statement.resources.map(({ name }) => name)).toEqual(['.'])
    expect(await verifyHere({}, join(model, 'weights.bin'))).toMatchObject({ verified: true })
    await rename(join(model, 'weights.bin'), join(model, 'other.bin'))
    expect(await verifyHere({}, join(model, 'other.bin'))).toMatchObject({ verified: true })
    expect(await verifyHere({}, model)).toMatchObject({ code: 'file-missing' })
    expect(await verifyHere({}, join(model, 'd/config.json'))).toMatchObject({ code: 'file-digest' })
  })

  it('with the signature inside of the model, and with version control, which is left out', async () => {
    signature = join(model, 'model.sig')
    await put('model/.git/config', '[core]')
    await put('model/.git/objects/ab/cdef0123456789abcdef0123456789abcdef01', '')
    await put('model/.github/ci.yml', '')
    await put('model/.gitignore', '')
    await put('model/d/.gitignore', '')
    const { statement } = await signHere()
    expect(statement.resources.map(({ name }) => name)).toEqual(['d/.gitignore', 'd/config.json', 'weights.bin'])
    expect(statement.serialization.ignorePaths).toEqual(['.git', '.gitattributes', '.github', '.gitignore', 'model.sig'])
    expect(await verifyHere()).toMatchObject({ verified: true, unsigned: ['.git/', '.github/', '.gitignore'] })
  })

  it.each(['.git/model.bin', '.git/hooks/post-checkout', '.git/objects/model.bin', '.git/refs/x.py'])(
    'but not with %s, which git would not keep',
    async (name) => {
      await signHere()
      await put(`model/${name}`, 'payload')
      expect(await verifyHere()).toMatchObject({ code: 'file-in-git', unsigned: ['.git/', name] })
      expect(await verifyHere({ ignorePaths: ['.git'] })).toMatchObject({ verified: true, unsigned: ['.git/'] })
      expect(await verifyHere({ ignoreUnsigned: true })).toMatchObject({ verified: true })
    },
  )

  it('with paths that are left out by name, a folder with all that is in it', async () => {
    await put('model/cache/a/b.tmp', '')
    await put('model/d/cache', 'signed')
    const { statement } = await signHere({ ignorePaths: ['cache/'] })
    expect(statement.resources.map(({ name }) => name)).toEqual(['d/cache', 'd/config.json', 'weights.bin'])
    expect(statement.serialization.ignorePaths).toContain('cache')
    expect(await verifyHere()).toMatchObject({ verified: true, unsigned: ['cache/'] })
    expect(await verifyHere({ ignorePaths: ['d'] })).toMatchObject({ code: 'resource-ignored' })
    for (const path of ['../x', '/x', 'a*', '', './x']) {
      await expect(signHere({ ignorePaths: [path] }), path).rejects.toMatchObject({ code: 'bad-option' })
      await expect(verifyHere({ ignorePaths: [path] }), path).rejects.toMatchObject({ code: 'bad-option' })
    }
  })

  it('in the order of code points, whatever the file system says', async () => {
    for (const name of ['a', 'a.b', 'a-b/c', '\ue000', '😀', 'Z', 'é']) await put(`sorted/${name}${name === 'a' ? '/x' : ''}`, 'x')
    const { statement } = await signHere({}, join(scratch, 'sorted'))
    const names = statement.resources.map(({ name }) => name)
    expect(names).toEqual(['Z', 'a-b/c', 'a.b', 'a/x', 'é', '\ue000', '😀'])
  })
})

describe('symbolic links', () => {
  it('are an error where they are not followed', async () => {
    await signHere()
    await symlink('weights.bin', join(model, 'link'))
    expect(await verifyHere()).toMatchObject({ code: 'file-symlink' })
    expect(await verifyHere({ ignoreUnsigned: true })).toMatchObject({ verified: true, unsigned: ['link'] })
    await expect(signHere()).rejects.toMatchObject({ code: 'file-symlink' })
  })

  it('do not stand in for a signed file, or for a folder of signed files', async () => {
    await signHere()
    await rename(join(model, 'weights.bin'), join(scratch, 'weights.bin'))
    await symlink(join(scratch, 'weights.bin'), join(model, 'weights.bin'))
    for (const ignoreUnsigned of [false, true]) expect(await verifyHere({ ignoreUnsigned })).toMatchObject({ code: 'file-symlink' })
    await rm(join(model, 'weights.bin'))
    await cp(join(scratch, 'weights.bin'), join(model, 'weights.bin'))
    await rename(join(model, 'd'), join(scratch, 'd'))
    await symlink(join(scratch, 'd'), join(model, 'd'))
    for (const ignoreUnsigned of [false, true]) expect(await verifyHere({ ignoreUnsigned })).toMatchObject({ code: 'file-missing' })
  })

  it('are followed where the signer said so, but not in circles, and not into nothing', async () => {
    await symlink('weights.bin', join(model, 'link'))
    await symlink('d', join(model, 'e'))
    const { statement } = await signHere({ allowSymlinks: true })
    expect(statement.resources.map(({ name }) => name)).toEqual(['d/config.json', 'e/config.json', 'link', 'weights.bin'])
    expect(await verifyHere()).toMatchObject({ verified: true })
    for (const target of ['.', '..', 'd/..', 'nowhere', 'self']) {
      await symlink(target, join(model, 'self'))
      await expect(signHere({ allowSymlinks: true }), target).rejects.toMatchObject({ code: 'file-symlink' })
      expect((await verifyHere()).verified, target).toBe(false)
      await rm(join(model, 'self'))
    }
  })
})

describe('what cannot be signed or verified', () => {
  it('a model with nothing in it', async () => {
    await mkdir(join(scratch, 'nothing'))
    await put('nothing/.gitignore', 'x')
    await expect(signHere({}, join(scratch, 'nothing'))).rejects.toMatchObject({ code: 'no-resources' })
  })

  it('a file that may not be read, a pipe, a name that is not UTF-8', async () => {
    await signHere()
    const { execFileSync } = await import('node:child_process')
    execFileSync('mkfifo', [join(model, 'pipe')])
    expect(await verifyHere()).toMatchObject({ code: 'file-special' })
    await expect(signHere()).rejects.toMatchObject({ code: 'file-special' })
    await rm(join(model, 'pipe'))
    const odd = Buffer.concat([Buffer.from(`${model}/`), Buffer.from([0xff, 0x41])])
    await writeFile(odd, 'x')
    expect(await verifyHere()).toMatchObject({ code: 'file-name' })
    await rm(odd as never)
    await expect(verifyHere({}, join(scratch, 'nowhere'))).rejects.toMatchObject({ code: 'not-found' })
    if (process.getuid?.() === 0) return // root may read everything
    await chmod(join(model, 'weights.bin'), 0)
    await expect(verifyHere()).rejects.toMatchObject({ code: 'no-permission' })
  })

  it('with another key than one of the three curves', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const k1 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' })
    for (const keys of [rsa, k1, generateKeyPairSync('ed25519')]) {
      const pem = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
      await expect(sign(model, { privateKey: pem })).rejects.toMatchObject({ code: 'bad-private-key' })
      const trust = { publicKey: keys.publicKey.export({ type: 'spki', format: 'pem' }) as string }
      await expect(verify(model, signature, trust)).rejects.toMatchObject({ code: 'bad-public-key' })
    }
    for (const pem of ['', 'hello', privateKey, publicKey + publicKey]) {
      await expect(verify(model, signature, { publicKey: pem })).rejects.toMatchObject({ code: 'bad-public-key' })
    }
    await expect(sign(model, { privateKey: publicKey })).rejects.toMatchObject({ code: 'bad-private-key' })
  })

  it('without a signature file', async () => {
    expect(await verifyHere()).toMatchObject({ verified: false, code: 'signature-missing' })
    signature = model
    expect(await verifyHere()).toMatchObject({ verified: false, code: 'bundle-malformed' })
  })

  it('a byte of any file changed, a file cut, longer or renamed', async () => {
    await signHere()
    for (const name of ['weights.bin', 'd/config.json']) {
      const bytes = await readFile(join(model, name))
      for (const i of [0, bytes.length - 1]) {
        const changed = Buffer.from(bytes)
        changed[i] = (changed[i] as number) ^ 1
        await writeFile(join(model, name), changed)
        expect(await verifyHere()).toMatchObject({ code: 'file-digest', reason: expect.stringContaining(basename(name)) })
      }
      for (const changed of [bytes.subarray(1), Buffer.concat([bytes, Buffer.from([0])])]) {
        await writeFile(join(model, name), changed)
        expect(await verifyHere()).toMatchObject({ code: 'file-digest' })
      }
      await writeFile(join(model, name), bytes)
    }
    // the root digest does not bind names: the statement does
    await rename(join(model, 'weights.bin'), join(model, 'x.bin'))
    expect(await verifyHere()).toMatchObject({ code: 'file-missing', unsigned: ['x.bin'] })
    await rename(join(model, 'x.bin'), join(model, 'weights.bin'))
    expect(await verifyHere()).toMatchObject({ verified: true })
  })
})

it('says how far it is, and stops when it is told to', async () => {
  await put('model/large.bin', new Uint8Array(5_000_000))
  const told: { stage: string; done: number; total: number }[] = []
  await signHere({ onProgress: (progress) => told.push(progress), threads: 2 })
  expect(told.at(-1)).toEqual({ stage: 'hash', done: 5_000_009, total: 5_000_009 })
  expect(told.every(({ done }, i) => done >= (told[i - 1]?.done ?? 0))).toBe(true)
  const controller = new AbortController()
  const stopped = verifyHere({ signal: controller.signal, onProgress: () => controller.abort(new Error('stopped')) })
  await expect(stopped).rejects.toThrow('stopped')
  await expect(signHere({ signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
})
