import { describe, expect, it } from 'vitest'
import { verifyFiles } from '../../src/provenance/index.js'
import { type CraftedResource, type CraftedStatement, craftBundle, craftedKey, statementOf } from './crafted.js'

// Statements that are validly signed, and still must be refused: what a signature is over is the signer's word, and may be a lie.

const bytes = new TextEncoder().encode('hello\n')
const digest = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03'
const a: CraftedResource = { name: 'a.txt', digest }
const b: CraftedResource = { name: 'd/b.txt', digest }

async function outcome(payload: CraftedStatement | string | Uint8Array, names = ['a.txt', 'd/b.txt']) {
  const files = names.map((name) => ({ name, data: bytes }))
  for (const ignoreUnsigned of [false, true]) {
    const { code } = await verifyFiles(files, craftBundle(payload), { publicKey: craftedKey }, { ignoreUnsigned })
    if (code !== 'verified' || ignoreUnsigned) return code
  }
}

describe('what a strict reader takes', () => {
  it.each([
    ['the usual', statementOf([a, b])],
    ['another order of files', statementOf([b, a])],
    ['fields of a resource that it does not know', statementOf([{ ...a, uri: 'https://example.com', annotations: { x: 1 } }, b])],
    ['ignored paths', statementOf([a, b], { ignore_paths: ['cache', '.git/', 'logs/x.txt'] })],
    [
      'an algorithm as the reference implementation writes it for shards',
      statementOf(
        [
          { ...a, name: 'a.txt:0:6', algorithm: 'sha256-sharded-8' },
          { ...b, name: 'd/b.txt:0:6', algorithm: 'sha256-sharded-8' },
        ],
        { method: 'shards', shard_size: 8 },
      ),
    ],
    [
      'one as the specification has it',
      statementOf(
        [
          { ...a, name: 'a.txt:0:6' },
          { ...b, name: 'd/b.txt:0:6' },
        ],
        { method: 'shards', shard_size: 6 },
      ),
    ],
    [
      'a shard size written as a float',
      JSON.stringify(
        statementOf(
          [
            { ...a, name: 'a.txt:0:6' },
            { ...b, name: 'd/b.txt:0:6' },
          ],
          { method: 'shards', shard_size: 8 },
        ),
      ).replace(':8}', ':8.0}'),
    ],
  ])('%s', async (_, payload) => expect(await outcome(payload)).toBe('verified'))

  it('names with colons, spaces and letters of any script', async () => {
    const names = ['a:0:6', '数据/模型 (1).bin', '.hidden/x', 'a\\b', 'e\u0301']
    expect(await outcome(statementOf(names.map((name) => ({ name, digest }))), names)).toBe('verified')
    const shards = names.map((name) => ({ name: `${name}:0:6`, digest }))
    expect(await outcome(statementOf(shards, { method: 'shards', shard_size: 100 }), names)).toBe('verified')
  })

  it('does not take one spelling of a letter for another', async () => {
    expect(await outcome(statementOf([{ name: '\u00e9', digest }]), ['e\u0301'])).toBe('file-missing')
    expect(await outcome(statementOf([{ name: 'A.TXT', digest }]), ['a.txt'])).toBe('file-missing')
  })
})

describe('names that are not plain paths', () => {
  const names = [
    '../a.txt',
    'd/../a.txt',
    './a.txt',
    'd/./b.txt',
    '/a.txt',
    '/etc/passwd',
    'd//b.txt',
    'd/',
    '..',
    'd/..',
    'a\0.txt',
    '../../a.txt',
  ]
  it.each(names)('%j', async (name) => {
    expect(await outcome(statementOf([{ name, digest }]))).toBe('resource-name')
    expect(await outcome(statementOf([a, b, { name, digest }]))).toBe('resource-name')
    expect(await outcome(statementOf([{ name: `${name}:0:6`, digest }], { method: 'shards', shard_size: 8 }))).toBe('resource-name')
  })
  it('. beside others', async () => expect(await outcome(statementOf([a, { name: '.', digest }]))).toBe('resource-name'))
  it('none at all', async () => expect(await outcome(statementOf([{ name: '', digest }]))).toBe('statement-malformed'))
})

describe('files under a path that is to be ignored', () => {
  it.each(['.git', '.git/config', '.git/a/b', '.gitignore', '.gitattributes', '.github/ci.yml'])('%s', async (name) => {
    expect(await outcome(statementOf([a, b, { name, digest }]), ['a.txt', 'd/b.txt', name])).toBe('resource-ignored')
  })
  it('as the statement itself says', async () => {
    expect(await outcome(statementOf([a, b], { ignore_paths: ['d'] }))).toBe('resource-ignored')
    expect(await outcome(statementOf([a, b], { ignore_paths: ['d/b.txt'] }))).toBe('resource-ignored')
    expect(await outcome(statementOf([a, b], { ignore_paths: ['b.txt', 'd/b', 'a'] }))).toBe('verified')
  })
  it.each(['*', '*.bin', 'a?', '[ab]', '/a', '../a', 'a/../b', '.', './a', 'a//b', '..', '/'])('an ignored path %j', async (path) => {
    expect(await outcome(statementOf([a, b], { ignore_paths: [path] }))).toBe('ignore-path')
  })
  it('.gitignore and the like deeper down are files as others', async () => {
    const names = ['a/.gitignore', 'a/.git/x', '.gitmodules']
    expect(await outcome(statementOf(names.map((name) => ({ name, digest }))), names)).toBe('verified')
  })
})

describe('statements that say more than one thing, or nothing', () => {
  const upper = digest.toUpperCase()
  const s = (resources: readonly CraftedResource[], serialization?: object) => statementOf(resources, serialization)
  const twice = (text: string) => text.replace('"_type":', '"_type":"https://in-toto.io/Statement/v1","_type":')
  it.each<[string, CraftedStatement | string | Uint8Array, string]>([
    ['no files', s([]), 'no-resources'],
    ['a file twice', s([a, b, a]), 'resource-duplicate'],
    ['a file twice with another digest', s([a, b, { ...a, digest: '0'.repeat(64) }]), 'resource-duplicate'],
    ['a key twice', twice(JSON.stringify(s([a, b]))), 'json-duplicate-key'],
    ['a key of a file twice', JSON.stringify(s([a, b])).replace('"name":"a.txt"', '"name":"x","name":"a.txt"'), 'json-duplicate-key'],
    [
      'a key twice in other letters',
      JSON.stringify(s([a, b])).replace('"subject":', '"\\u0073ubject":[],"subject":'),
      'json-duplicate-key',
    ],
    ['upper-case digits', s([{ ...a, digest: upper }, b]), 'resource-digest'],
    ['one upper-case digit', s([{ ...a, digest: digest.replace('b', 'B') }, b]), 'resource-digest'],
    ['a digest that is cut', s([{ ...a, digest: digest.slice(2) }, b]), 'resource-digest'],
    ['a digest with more', s([{ ...a, digest: `${digest}00` }, b]), 'resource-digest'],
    ['a digest in 0x', s([{ ...a, digest: `0x${digest.slice(2)}` }, b]), 'resource-digest'],
    ['a digest of another algorithm', s([a, b], { hash_type: 'blake2b' }), 'hash-algorithm'],
    ['an algorithm that is broken', s([{ ...a, algorithm: 'md5' }, b], { hash_type: 'md5' }), 'hash-algorithm'],
    ['an algorithm that no object has of its own', s([a, b], { hash_type: 'constructor' }), 'hash-algorithm'],
    ['two algorithms', s([{ ...a, algorithm: 'blake3' }, b]), 'hash-algorithm'],
    ['an algorithm of shards for files', s([{ ...a, algorithm: 'sha256-sharded-8' }, b]), 'hash-algorithm'],
    ['a file without an algorithm', s([{ ...a, algorithm: undefined }, b]), 'hash-algorithm'],
    ['another root digest', { ...s([a, b]), subject: [{ name: 'model', digest: { sha256: '0'.repeat(64) } }] }, 'root-digest'],
    [
      'the root digest of another order',
      { ...s([a, { ...b, digest: '1'.repeat(64) }]), subject: s([{ ...b, digest: '1'.repeat(64) }, a]).subject },
      'root-digest',
    ],
    ['no root digest', { ...s([a, b]), subject: [{ name: 'model', digest: {} }] }, 'root-digest'],
    [
      'another digest beside the root digest',
      { ...s([a, b]), subject: [{ name: 'model', digest: { sha256: '', md5: '' } }] },
      'unknown-field',
    ],
    ['no subject', { ...s([a, b]), subject: [] }, 'subject-count'],
    ['two subjects', { ...s([a, b]), subject: [...(s([a, b]).subject as []), ...(s([a, b]).subject as [])] }, 'subject-count'],
    ['a subject without a name', { ...s([a, b]), subject: [{ digest: { sha256: digest } }] }, 'statement-malformed'],
    ['another predicate', { ...s([a, b]), predicateType: 'https://example.com/other' }, 'predicate-type'],
    ['the predicate of version 0.2', { ...s([a, b]), predicateType: 'https://model_signing/Digests/v0.1' }, 'predicate-type'],
    ['another version of the statement', { ...s([a, b]), _type: 'https://in-toto.io/Statement/v0.1' }, 'statement-type'],
    ['a field that the statement has not', { ...s([a, b]), more: 1 }, 'unknown-field'],
    ['a field that the predicate has not', { ...s([a, b]), predicate: { ...(s([a, b]).predicate as object), more: 1 } }, 'unknown-field'],
    ['a field that the serialization has not', s([a, b], { more: 1 }), 'unknown-field'],
    ['no predicate', { ...s([a, b]), predicate: undefined }, 'statement-malformed'],
    ['another method', s([a, b], { method: 'tensors' }), 'statement-malformed'],
    ['neither with nor without links', s([a, b], { allow_symlinks: 'false' }), 'statement-malformed'],
    ['a size of shards for files', s([a, b], { shard_size: 8 }), 'statement-malformed'],
    ['no size of shards', s([{ ...a, name: 'a.txt:0:6' }], { method: 'shards' }), 'statement-malformed'],
    ['shards of nothing', s([{ ...a, name: 'a.txt:0:6' }], { method: 'shards', shard_size: 0 }), 'statement-malformed'],
    ['half a byte a shard', s([{ ...a, name: 'a.txt:0:6' }], { method: 'shards', shard_size: 0.5 }), 'statement-malformed'],
    ['no JSON', 'hello', 'statement-malformed'],
    ['JSON with a comment', `${JSON.stringify(s([a, b]))}//`, 'statement-malformed'],
    ['a trailing comma', JSON.stringify(s([a, b])).replace(/}$/, ',}'), 'statement-malformed'],
    ['a byte order mark', `\ufeff${JSON.stringify(s([a, b]))}`, 'statement-malformed'],
    [
      'bytes that are not UTF-8',
      Buffer.concat([Buffer.from(JSON.stringify(s([a, b]))).subarray(0, -1), Buffer.from([0xff])]),
      'statement-malformed',
    ],
    ['a lone surrogate', JSON.stringify(s([a, b])).replace('"name":"model"', '"name":"\\ud800"'), 'statement-malformed'],
    ['brackets without end', '['.repeat(100_000), 'statement-malformed'],
    ['a number that JSON has not', JSON.stringify(s([a, b])).replace('false', '01'), 'statement-malformed'],
  ])('%s', async (_, payload, code) => expect(await outcome(payload)).toBe(code))
})

describe('shards that do not cover a file', () => {
  const shards = (...names: string[]) =>
    statementOf(
      names.map((name) => ({ name, digest })),
      { method: 'shards', shard_size: 6 },
    )
  it.each<[string, CraftedStatement, string]>([
    ['a gap', shards('a.txt:0:6', 'a.txt:12:18'), 'shard-layout'],
    ['none at the start', shards('a.txt:6:12'), 'shard-layout'],
    ['an overlap', shards('a.txt:0:6', 'a.txt:3:9'), 'shard-layout'],
    ['one within another', shards('a.txt:0:6', 'a.txt:0:3'), 'shard-layout'],
    ['a short one in the middle', shards('a.txt:0:3', 'a.txt:3:9'), 'shard-layout'],
    ['one that is too long', shards('a.txt:0:7'), 'shard-layout'],
    ['one that ends before it begins', shards('a.txt:6:0'), 'shard-layout'],
    ['an empty one', shards('a.txt:0:0'), 'shard-layout'],
    ['digits with zeros', shards('a.txt:00:06'), 'shard-layout'],
    ['no range', shards('a.txt'), 'shard-layout'],
    ['signs', shards('a.txt:+0:6'), 'shard-layout'],
    ['one more than the file has', shards('a.txt:0:6', 'a.txt:6:12'), 'file-digest'],
    ['the start of a file alone', statementOf([{ name: 'a.txt:0:3', digest }], { method: 'shards', shard_size: 3 }), 'file-digest'],
  ])('%s', async (_, payload, code) => expect(await outcome(payload, ['a.txt'])).toBe(code))

  it('an empty file beside them may not have been signed, as it has none', async () => {
    const files = [
      { name: 'a.txt', data: bytes },
      { name: 'empty', data: new Uint8Array() },
    ]
    const result = await verifyFiles(files, craftBundle(shards('a.txt:0:6')), { publicKey: craftedKey })
    expect(result).toMatchObject({ verified: true, unsigned: ['empty'] })
  })
})
