import { describe, expect, it } from 'vitest'
import { parseBundle } from '../../src/provenance/bundle.js'
import { parseStrictJson } from '../../src/provenance/strict-json.js'

const parse = (text: string | Uint8Array) => parseStrictJson(typeof text === 'string' ? Buffer.from(text) : text, 'it', 'bundle-malformed')

describe('strict JSON', () => {
  it.each(['""', '"a"', '"a\\"b\\\\c\\/\\b\\f\\n\\r\\t"', '"\\u00e9\\ud83d\\ude00 é"', '["a","\\\\"]', '{"a\\nb":"\\"c\\""}'])(
    'reads strings as JSON.parse does: %s',
    (text) => expect(JSON.stringify(parse(text))).toBe(JSON.stringify(JSON.parse(text))),
  )

  it.each(['"', '"a', '"\\', '"\\"', '"\\x"', '"\\u12"', '"a\nb"', '"\u0000"', '"\\ud83d"', '{"a', '{a:1}', "'a'"])(
    'refuses what is no string: %j',
    (text) => expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'bundle-malformed' })),
  )

  it('reads a string of many millions of characters: the payload over a model of many files', () => {
    const bytes = Buffer.alloc(64_000_002, 'A')
    bytes[0] = bytes[bytes.length - 1] = 0x22
    expect((parse(bytes) as string).length).toBe(64_000_000)
  })
})

it('a bundle has no more log entries, timestamps or certificates than a verifier has time for', () => {
  const bundle = (material: object) => Buffer.from(JSON.stringify({ ...whole, verificationMaterial: material }))
  const many = (one: object) => Array.from({ length: 17 }, () => one)
  const certificate = { rawBytes: 'AAAA' }
  const whole = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    dsseEnvelope: { payload: 'AAAA', payloadType: 'application/vnd.in-toto+json', signatures: [{ sig: 'AAAA' }] },
  }
  expect(parseBundle(bundle({ certificate })).material.method).toBe('keyless')
  for (const material of [
    { certificate, tlogEntries: many({}) },
    { certificate, timestampVerificationData: { rfc3161Timestamps: many({ signedTimestamp: 'AAAA' }) } },
    { x509CertificateChain: { certificates: many(certificate) } },
  ]) {
    expect(() => parseBundle(bundle(material))).toThrow(/has 17 .*, expected at most 16/)
  }
})
