import 'reflect-metadata'
import { ExtendedKeyUsageExtension, Extension, KeyUsageFlags, KeyUsagesExtension } from '@peculiar/x509'
import { describe, expect, it } from 'vitest'
import { trustCheck, verifyStatement } from '../../src/provenance/index.js'
import { Refusal } from '../../src/provenance/refusal.js'
import { authority, certificateBundle, type Issued, issue, signer } from './certificates.js'
import { statementOf } from './crafted.js'

const payload = JSON.stringify(statementOf([{ name: 'a', digest: 'a'.repeat(64) }]))
const at = new Date('2026-07-01')
const root = await issue({ name: 'root', extensions: authority() })
const middle = await issue({ name: 'middle', issuer: root, extensions: authority() })
const leaf = await issue({ name: 'signer', issuer: middle, extensions: signer })
const other = await issue({ name: 'root', extensions: authority() })

async function outcome(chain: readonly (Issued | Uint8Array)[], anchors: readonly Issued[] = [root]): Promise<string> {
  const check = await trustCheck({ certificateAuthorities: anchors.map(({ pem }) => pem), at })
  try {
    await verifyStatement(await certificateBundle(payload, chain), check)
    return 'verified'
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

describe('a chain that holds', () => {
  it('from the signer to an authority that was given, which may be in it', async () => {
    expect(await outcome([leaf, middle])).toBe('verified')
    expect(await outcome([leaf, middle, root])).toBe('verified')
    expect(await outcome([leaf], [middle])).toBe('verified')
    expect(await outcome([leaf, middle, root], [middle])).toBe('verified')
    expect(await outcome([leaf, middle], [other, root])).toBe('verified')
  })

  it('one self-signed certificate that was given itself', async () => {
    const own = await issue({ name: 'own', extensions: signer })
    expect(await outcome([own], [own])).toBe('verified')
    expect(await outcome([own, own], [own])).toBe('verified')
    expect(await outcome([own], [root])).toBe('certificate-untrusted')
  })

  it('of RSA authorities, and of every curve', async () => {
    const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) }
    const ca = await issue({ name: 'rsa', extensions: authority(), algorithm: rsa, signing: rsa })
    expect(await outcome([await issue({ name: 's', issuer: ca, extensions: signer, signing: rsa })], [ca])).toBe('verified')
    for (const [namedCurve, hash] of [
      ['P-384', 'SHA-384'],
      ['P-521', 'SHA-512'],
    ]) {
      const curve = { name: 'ECDSA', namedCurve }
      const ec = await issue({ name: 'ec', extensions: authority(), algorithm: curve, signing: { name: 'ECDSA', hash } })
      expect(await outcome([await issue({ name: 's', issuer: ec, extensions: signer, signing: { name: 'ECDSA', hash } })], [ec])).toBe(
        'verified',
      )
    }
  })

  it('of a signer for code signing alone', async () => {
    const extensions = [new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.3'])]
    expect(await outcome([await issue({ name: 's', issuer: root, extensions })])).toBe('verified')
  })
})

describe('a chain that does not', () => {
  it.each<[string, () => Promise<readonly (Issued | Uint8Array)[]>, string]>([
    [
      'leads to another authority of the same name',
      async () => [await issue({ name: 's', issuer: other, extensions: signer })],
      'certificate-untrusted',
    ],
    ['has a link missing', async () => [leaf], 'certificate-untrusted'],
    ['has a certificate that vouches for nothing', async () => [leaf, middle, other], 'certificate-untrusted'],
    ['is in another order', async () => [middle, leaf], 'certificate-untrusted'],
    ['has the signer twice', async () => [leaf, leaf, middle], 'certificate-untrusted'],
    ['is expired', async () => [await issue({ name: 's', issuer: root, extensions: signer, to: '2026-06-30' })], 'certificate-expired'],
    [
      'is not valid yet',
      async () => [await issue({ name: 's', issuer: root, extensions: signer, from: '2026-07-02' })],
      'certificate-expired',
    ],
    [
      'has an expired authority',
      async () => {
        const ca = await issue({ name: 'ca', issuer: root, extensions: authority(), to: '2026-06-30' })
        return [await issue({ name: 's', issuer: ca, extensions: signer }), ca]
      },
      'certificate-expired',
    ],
    [
      'has a signer for an authority',
      async () => [await issue({ name: 's', issuer: leaf, extensions: signer }), leaf, middle],
      'certificate-usage',
    ],
    [
      'has an authority that may not sign certificates',
      async () => {
        const extensions = [authority()[0] as Extension, new KeyUsagesExtension(KeyUsageFlags.cRLSign, true)]
        const ca = await issue({ name: 'ca', issuer: root, extensions })
        return [await issue({ name: 's', issuer: ca, extensions: signer }), ca]
      },
      'certificate-usage',
    ],
    [
      'has more authorities than one allows',
      async () => {
        const first = await issue({ name: 'first', issuer: root, extensions: authority(0) })
        const second = await issue({ name: 'second', issuer: first, extensions: authority() })
        return [await issue({ name: 's', issuer: second, extensions: signer }), second, first]
      },
      'certificate-usage',
    ],
    ['has a signer for nothing', async () => [await issue({ name: 's', issuer: root })], 'certificate-usage'],
    [
      'has a signer for servers',
      async () => [await issue({ name: 's', issuer: root, extensions: [new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1'])] })],
      'certificate-usage',
    ],
    [
      'has a signer for the signatures of servers',
      async () => {
        const extensions = [...signer, new ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1'])]
        return [await issue({ name: 's', issuer: root, extensions })]
      },
      'certificate-usage',
    ],
    [
      'has an authority with a short key',
      async () => {
        const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 1024, publicExponent: Uint8Array.of(1, 0, 1) }
        const ca = await issue({ name: 'ca', issuer: root, extensions: authority(), algorithm })
        return [await issue({ name: 's', issuer: ca, extensions: signer, signing: algorithm }), ca]
      },
      'certificate-malformed',
    ],
    [
      'asks for what is not understood',
      async () => [
        await issue({ name: 's', issuer: root, extensions: [...signer, new Extension('1.2.3.4', true, Uint8Array.of(5, 0).buffer)] }),
      ],
      'certificate-malformed',
    ],
    [
      'is signed with SHA-1',
      async () => [await issue({ name: 's', issuer: root, extensions: signer, signing: { name: 'ECDSA', hash: 'SHA-1' } })],
      'certificate-malformed',
    ],
    [
      'has bytes behind it',
      async () => [leaf, Buffer.concat([new Uint8Array(middle.certificate.rawData), Buffer.from([0])])],
      'certificate-malformed',
    ],
    ['is no certificate', async () => [leaf, Buffer.from('hello')], 'certificate-malformed'],
  ])('it %s', async (_, chain, code) => expect(await outcome(await chain())).toBe(code))

  it('a name within a name reads as what it is', async () => {
    const check = await trustCheck({ certificateAuthorities: [root.pem], at })
    const subject = async (name: string) => {
      const bundle = await certificateBundle(payload, [await issue({ name, issuer: root, extensions: signer })])
      const { signer: found } = await verifyStatement(bundle, check)
      return found.method === 'certificate' ? found.subject : null
    }
    expect(await subject('trainer,O=Example')).toBe('CN=trainer,O=Example')
    expect(await subject('trainer\\,O=Example')).toBe('CN=trainer\\,O\\=Example')
    expect(await subject(`${'x'.repeat(60)}`)).toBe(`CN=${'x'.repeat(60)}`)
  })

  it('a time that is none is wrong usage', async () => {
    const trust = { certificateAuthorities: [root.pem], at: new Date(Number.NaN) }
    await expect(trustCheck(trust)).rejects.toMatchObject({ name: 'OptionError', code: 'bad-option' })
  })

  it('a signature of another key', async () => {
    const forged = await issue({ name: 'signer', issuer: middle, extensions: signer })
    const bundle = JSON.parse(Buffer.from(await certificateBundle(payload, [forged, middle])).toString())
    bundle.verificationMaterial.x509CertificateChain.certificates[0].rawBytes = Buffer.from(leaf.certificate.rawData).toString('base64')
    const check = await trustCheck({ certificateAuthorities: [root.pem], at })
    await expect(verifyStatement(Buffer.from(JSON.stringify(bundle)), check)).rejects.toMatchObject({ code: 'signature-invalid' })
  })

  it('an authority that cannot be read is bad input', async () => {
    for (const pem of ['', 'hello', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n']) {
      await expect(trustCheck({ certificateAuthorities: [pem], at })).rejects.toMatchObject({ code: 'bad-certificate' })
    }
    await expect(trustCheck({ certificateAuthorities: [], at })).rejects.toMatchObject({ code: 'bad-certificate' })
  })
})
