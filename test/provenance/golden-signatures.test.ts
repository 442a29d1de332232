import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { verify, verifyFiles } from '../../src/provenance/node-index.js'
import { sharedProvenance } from '../support/shared-provenance.js'
import { fixtures, keylessSigner, modelOf, referenceAuthority, trustOf } from './made-by-others.js'

const shared = sharedProvenance()
const roots = [fixtures, ...(shared ? [join(shared, 'goldens')] : [])]
const goldens = roots.flatMap((root) => {
  const folders = readdirSync(root).filter((name) => name.startsWith('v') || name === 'timestamped')
  return folders.map((folder) => ({ root, folder }))
})

describe('what the reference implementation signed', () => {
  it.each(goldens)('$folder of $root verifies', async ({ root, folder }) => {
    const ignorePaths = folder.startsWith('v1.0.1') ? ['ignore-me'] : []
    const result = await verify(modelOf(root, folder), join(root, folder, 'model.sig'), trustOf(folder), { ignorePaths })
    expect(result).toMatchObject({ schemaVersion: 1, verified: true, code: 'verified' })
    expect(result.statementDigest).toMatch(/^[0-9a-f]{64}$/)
    const hasIgnored = readdirSync(join(root, folder)).includes('ignore-me')
    expect(result.unsigned).toEqual(hasIgnored ? ['ignore-me'] : [])
  })

  it('names the signer', async () => {
    const signer = async (folder: string) =>
      (await verify(modelOf(fixtures, folder), join(fixtures, folder, 'model.sig'), trustOf(folder), { ignorePaths: ['ignore-me'] })).signer
    expect(await signer('v1.1.0-elliptic-key')).toEqual({
      method: 'key',
      keyHint: 'e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e',
      curve: 'P-384',
    })
    expect(await signer('v1.0.0-certificate')).toMatchObject({
      subject: 'CN=intermediate-ca',
      issuer: 'CN=intermediate-ca',
      authority: 'CN=root-ca',
    })
    expect(await signer('v1.0.1-sigstore')).toEqual({ method: 'keyless', ...keylessSigner, times: ['2025-10-07T15:33:48.000Z'] })
    expect(await signer('timestamped')).toMatchObject({ times: ['2025-10-10T02:12:20.000Z', '2025-10-10T02:12:20.000Z'] })
  })

  it('is refused where the file that it ignored is not ignored', async () => {
    const result = await verify(join(fixtures, 'v1.0.1-sigstore'), join(fixtures, 'v1.0.1-sigstore/model.sig'), keylessSigner)
    expect(result).toMatchObject({ verified: false, code: 'file-unsigned', unsigned: ['ignore-me'] })
    expect(result.signer).not.toBeNull()
  })

  it.each([
    ['v1.1.0-elliptic-key', { certificateAuthorities: [referenceAuthority] }],
    ['v1.0.0-certificate', keylessSigner],
    ['v1.0.1-sigstore', trustOf('elliptic-key')],
  ])('%s is refused by another method', async (folder, trust) => {
    const result = await verify(modelOf(fixtures, folder), join(fixtures, folder, 'model.sig'), trust)
    expect(result).toMatchObject({ verified: false, code: 'method-mismatch', signer: null, statementDigest: null, unsigned: [] })
  })

  it.each([
    [{ ...keylessSigner, identity: 'stefanb@us.ibm.co' }, 'identity-mismatch'],
    [{ ...keylessSigner, identity: 'stefanb@us.ibm.com ' }, 'identity-mismatch'],
    [{ ...keylessSigner, identity: 'Stefanb@us.ibm.com' }, 'identity-mismatch'],
    [{ ...keylessSigner, identity: '.*' }, 'identity-mismatch'],
    [{ ...keylessSigner, identity: 'stefanb@us.ibm.com', issuer: 'https://sigstore.verify.ibm.com' }, 'issuer-mismatch'],
    [{ ...keylessSigner, issuer: 'https://sigstore.verify.ibm.com/oauth2/' }, 'issuer-mismatch'],
  ])('is of %j, so refused', async (trust, code) => {
    expect(await verify(join(fixtures, 'timestamped'), join(fixtures, 'timestamped/model.sig'), trust)).toMatchObject({ code })
  })

  it('is refused where no certificate was valid at the time, however it is signed', async () => {
    for (const [at, code] of [
      ['2025-05-01', 'certificate-expired'],
      ['2035-05-01', 'certificate-expired'],
      ['2035-04-30T23:36:28Z', 'verified'],
      ['2025-05-02T23:36:28Z', 'verified'],
    ] as const) {
      const trust = { certificateAuthorities: [referenceAuthority], at: new Date(at) }
      expect((await verify(join(fixtures, 'v1.0.0-certificate'), join(fixtures, 'v1.0.0-certificate/model.sig'), trust)).code, at).toBe(
        code,
      )
    }
  })

  it('verifies without a file system, as in a browser, too', async () => {
    const file = (name: string) => new Uint8Array(readFileSync(join(fixtures, name)))
    const names = ['signme-1', 'signme-2']
    for (const folder of ['v1.0.0-certificate', 'v1.1.0-elliptic-key']) {
      const files = names.map((name) => ({ name, data: new Blob([file(`${folder}/${name}`)]) }))
      const trust = trustOf(folder) as Parameters<typeof verifyFiles>[2]
      const signature = file(`${folder}/model.sig`)
      expect(await verifyFiles(files, signature, trust)).toMatchObject({ verified: true })
      const more = { name: 'more.bin', data: new Uint8Array(1) }
      expect(await verifyFiles([...files, more], signature, trust)).toMatchObject({ code: 'file-unsigned', unsigned: ['more.bin'] })
      expect(await verifyFiles([...files, more], signature, trust, { ignoreUnsigned: true })).toMatchObject({
        code: 'verified',
        unsigned: ['more.bin'],
      })
      expect(await verifyFiles(files.slice(1), signature, trust)).toMatchObject({ code: 'file-missing' })
      const other = { name: 'signme-1', data: new TextEncoder().encode('signme-x') }
      expect(await verifyFiles([other, ...files.slice(1)], signature, trust)).toMatchObject({ code: 'file-digest' })
      const git = { name: '.git/model.bin', data: new Uint8Array(1) }
      expect(await verifyFiles([...files, git], signature, trust)).toMatchObject({ code: 'file-in-git', unsigned: ['.git/model.bin'] })
    }
    const single = [{ name: 'renamed', data: file('v1.0.0-elliptic-key/signme-1') }]
    const trust = trustOf('elliptic-key') as Parameters<typeof verifyFiles>[2]
    expect(await verifyFiles(single, file('v1.0.0-elliptic-key/model.sig'), trust)).toMatchObject({ verified: true })
    await expect(verifyFiles([...single, ...single], file('v1.0.0-elliptic-key/model.sig'), trust)).rejects.toThrow('given twice')
  })
})

describe.skipIf(!shared)('crafted signatures of the shared data', () => {
  const folder = join(shared ?? '', 'crafted-bad')
  const trust = shared ? { publicKey: readFileSync(join(folder, 'public-key.pem'), 'utf8') } : keylessSigner
  it.each([
    ['t_good', 'verified'],
    ['t_unsorted', 'verified'],
    ['t_badroot', 'root-digest'],
    ['t_dupkeys', 'json-duplicate-key'],
    ['t_dupres', 'resource-duplicate'],
    ['t_emptyres', 'no-resources'],
    ['t_traverse', 'resource-name'],
    ['t_twosigs', 'signature-count'],
    ['t_upperhex', 'resource-digest'],
    ['t_wrongpt', 'payload-type'],
  ])('%s: %s', async (name, code) => {
    for (const ignoreUnsigned of [false, true]) {
      expect((await verify(join(folder, 'model'), join(folder, `${name}.sig`), trust, { ignoreUnsigned })).code).toBe(code)
    }
  })
})

describe.skipIf(!shared)('test vectors of the specification', () => {
  const root = join(shared ?? '', 'spec-vectors/v1.0')
  const files = shared ? readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json')) : []
  it.each(files)('%s', async (name) => {
    const bytes = new Uint8Array(readFileSync(join(root, name)))
    const { parseBundle } = await import('../../src/provenance/bundle.js')
    const { readStatement } = await import('../../src/provenance/read-statement.js')
    const outcome = () => readStatement(parseBundle(bytes).payload)
    if (name.startsWith('valid/')) expect(outcome().resources).toHaveLength(2)
    // a keyless bundle without a log entry has the right form, but says nothing
    else if (name.includes('missing-tlog-entries')) {
      const result = await verify(join(fixtures, 'timestamped'), join(root, name), keylessSigner)
      expect(result).toMatchObject({ verified: false, code: 'log-entry-missing' })
    } else expect(outcome).toThrow()
  })
})
