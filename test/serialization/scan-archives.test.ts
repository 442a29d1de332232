import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { scanFile } from '../../src/serialization/scan-file.js'
import { concat, makeZip } from '../io/make-zip.js'
import { callWith, global, latin1, length, pickle, proto, stop, text } from '../support/pickle-assembler.js'
import { makeTar } from './make-tar.js'
import { scanBytes } from './scan-bytes.js'

const payload = pickle(proto(4), callWith(global('os', 'system'), 'id'), stop)
const clean = pickle(proto(2), global('collections', 'OrderedDict'), ')R.')
const tensor = Uint8Array.from({ length: 4000 }, (_, i) => (i * 37) % 251)
const tensors = [
  { name: 'm/data.pkl', data: clean, method: 0 },
  { name: 'm/data/0', data: tensor, method: 0 },
  { name: 'm/version', data: latin1('3\n'), method: 0 },
]
/** Writes over bytes: at a place, or at the n-th occurrence of a text. */
const patch = (bytes: Uint8Array, at: number, ...values: number[]) => {
  const copy = bytes.slice()
  copy.set(values, at)
  return copy
}
const find = (bytes: Uint8Array, words: string, from = 0) => Buffer.from(bytes).indexOf(words, from, 'latin1')

test('an archive of PyTorch with nothing but tensors is clean', async () => {
  expect(await scanBytes('m.pt', makeZip(tensors))).toMatchObject({ verdict: 'clean', ids: [] })
  expect(await scanBytes('m.pt', makeZip(tensors, { zip64End: true }))).toMatchObject({ verdict: 'clean', ids: [] })
  expect(await scanBytes('m.pt', makeZip(tensors.map((member) => ({ ...member, method: 8, zip64: true }))))).toMatchObject({
    verdict: 'clean',
    ids: [],
  })
})

describe('a pickle in an archive is found', () => {
  const member = { name: 'data.pkl', data: payload, method: 0 }
  const members = [member]
  const plain = makeZip(members)
  const directory = find(plain, 'PK\x01\x02')
  const cases: [string, Uint8Array, string[]][] = [
    ['stored', plain, []],
    ['packed', makeZip([{ ...member, method: 8 }]), []],
    ['under a name that says nothing', makeZip([{ name: 'weights', data: payload }]), []],
    ['in place of a tensor', makeZip([...tensors, { name: 'm/data/1', data: payload, method: 0 }]), []],
    ['in an archive in an archive', makeZip([{ name: 'inner.zip', data: makeZip([{ name: 'b.zip', data: plain }]) }]), []],
    ['in a tar archive', makeTar([{ name: 'pickle', data: payload }]), []],
    ['in a packed tar archive', gzipSync(makeTar([{ name: 'a/b', data: payload }])), []],
    ['packed by gzip', gzipSync(payload), []],
    ['packed by zlib', deflateSync(payload), []],
    ['packed as an old joblib did', concat([latin1(`ZF0x${payload.length.toString(16).padEnd(17)}`), deflateSync(payload)]), []],
    [
      'packed by lz4',
      concat([latin1('\x04\x22\x4d\x18\x60\x40\x82'), length(payload.length + 2 ** 31, 4), payload, new Uint8Array(4)]),
      [],
    ],
    ['packed by zstd', zstdCompressSync(payload), []],
    ['packed by zstd, as a member', makeZip([{ ...member, packed: zstdCompressSync(payload), method: 93 }]), []],
    ['that says it is encrypted (0x1)', makeZip([{ ...member, flags: 1 }]), ['archive-mismatch']],
    ['that says it is patched (0x20)', makeZip([{ ...member, flags: 0x20 }]), ['archive-mismatch']],
    ['that says it is strongly encrypted (0x40)', makeZip([{ ...member, flags: 0x40 }]), ['archive-mismatch']],
    ['that says so in the directory alone', patch(plain, directory + 8, 1), ['archive-mismatch']],
    ['with another name in its header', makeZip([{ ...member, localName: 'datap.kl' }]), ['archive-mismatch']],
    ['with another method in its header', patch(makeZip([{ ...member, method: 8 }]), 8, 0), ['archive-mismatch']],
    ['with another size in its header', patch(plain, 22, 1), ['archive-mismatch']],
    ['with a wrong checksum', makeZip([{ ...member, crc: 1 }]), ['archive-checksum']],
    ['twice, the second harmless', makeZip([...members, { name: 'data.pkl', data: clean }]), ['archive-mismatch']],
    ['behind a pickle in front of the archive', concat([clean, plain]), ['archive-hidden']],
    ['in front of the archive', concat([payload, makeZip(tensors)]), ['archive-hidden']],
    ['behind the archive', concat([makeZip(tensors), payload]), ['archive-hidden', 'pickle-hidden']],
    [
      'behind damaged data',
      makeZip([
        {
          name: 'data.pkl',
          data: payload,
          packed: concat([deflateRawSync(concat([payload, new Uint8Array(70_000)]), { level: 0 }).subarray(0, 40_000)]),
          size: 70_000,
        },
      ]),
      ['archive-broken'],
    ],
  ]
  test.each(cases)('%s', async (_, bytes, others) => {
    const { verdict, ids } = await scanBytes('model.bin', bytes)
    expect(verdict).toBe('poisoned')
    expect(ids).toContain('pickle-dangerous-import')
    expect(ids).toEqual(expect.arrayContaining(others))
  })
})

describe('what an archive itself does', () => {
  const slip = (name: string) => makeZip([{ name, data: latin1('x') }])
  const encrypted = makeZip([{ name: 'a.pkl', data: tensor, method: 0, flags: 1, crc: 5 }])
  const gap = makeZip([{ name: 'a.txt', data: latin1('text'), method: 0 }])
  const cases: [string, string, Uint8Array, string, string][] = [
    ['a member that climbs out', 'a.zip', slip('../../etc/cron.d/x'), 'poisoned', 'archive-path'],
    ['a member that climbs out on Windows', 'a.zip', slip('..\\x'), 'poisoned', 'archive-path'],
    ['a member with an absolute path', 'a.zip', slip('/etc/x'), 'poisoned', 'archive-path'],
    ['a member with a drive', 'a.zip', slip('C:/x'), 'poisoned', 'archive-path'],
    ['a member of a tar archive that climbs out', 'a.tar', makeTar([{ name: '../x', data: latin1('x') }]), 'poisoned', 'archive-path'],
    ['a link that leads out', 'a.tar', makeTar([{ name: 'a/x', type: '2', link: '../../etc/passwd' }]), 'poisoned', 'archive-link'],
    ['a hard link that leads out', 'a.tar', makeTar([{ name: 'a', type: '1', link: '/etc/passwd' }]), 'poisoned', 'archive-link'],
    [
      'members that overlap',
      'a.zip',
      makeZip([
        { name: 'a', data: latin1('x') },
        { name: 'b', data: latin1('x'), overlap: true },
      ]),
      'suspicious',
      'archive-mismatch',
    ],
    [
      'a size that deflate cannot reach',
      'a.zip',
      makeZip([{ name: 'a', data: new Uint8Array(10), size: 2 ** 31 }]),
      'suspicious',
      'archive-bomb',
    ],
    ['bytes that nobody lists', 'a.zip', concat([gap, latin1('more')]), 'suspicious', 'archive-hidden'],
    ['a member that is encrypted', 'a.zip', encrypted, 'inconclusive', 'archive-encrypted'],
    ['a method that is not unpacked', 'a.zip', makeZip([{ name: 'a', data: tensor, method: 14 }]), 'inconclusive', 'archive-unread'],
    ['an archive without an end', 'a.zip', gap.subarray(0, 40), 'inconclusive', 'archive-broken'],
    ['a 7-Zip archive', 'model.pt', latin1('7z\xbc\xaf\x27\x1c\0\x04 and so on'), 'suspicious', 'archive-foreign'],
    ['a RAR archive', 'model.pt', latin1('Rar!\x1a\x07\0 and so on'), 'suspicious', 'archive-foreign'],
    ['xz', 'model.pkl', latin1('\xfd7zXZ\0 and so on'), 'inconclusive', 'archive-unread'],
    ['lzma', 'model.joblib', latin1('\x5d\0\0\x80\0 and so on'), 'inconclusive', 'archive-unread'],
    ['bzip2', 'model.pkl', latin1('BZh9 and so on'), 'inconclusive', 'archive-unread'],
    ['zstd that is damaged', 'model.pkl', latin1('\x28\xb5\x2f\xfd and so on'), 'inconclusive', 'archive-broken'],
    ['gzip that is cut off', 'a.gz', gzipSync(tensor).subarray(0, 100), 'inconclusive', 'archive-broken'],
  ]
  test.each(cases)('%s', async (_, name, bytes, verdict, id) => {
    const scanned = await scanBytes(name, bytes)
    expect(scanned.ids).toContain(id)
    expect(scanned.verdict).toBe(verdict)
  })

  test('honest links, folders and padding are none of it', async () => {
    const tar = makeTar([
      { name: 'a/', type: '5' },
      { name: 'a/x.txt', data: latin1('text') },
      { name: 'a/y', type: '2', link: 'x.txt' },
    ])
    expect(await scanBytes('a.tar', tar)).toMatchObject({ verdict: 'clean', ids: [] })
    expect(
      await scanBytes(
        'a.zip',
        makeZip([
          { name: 'a/', data: new Uint8Array(0), method: 0 },
          { name: 'a/b.txt', data: latin1('text') },
        ]),
      ),
    ).toMatchObject({ ids: [] })
  })

  test('a bomb is unpacked to its limit and no further, and archives in archives come to an end', async () => {
    const zeros = deflateRawSync(new Uint8Array(2 ** 25))
    const bomb = await scanBytes('a.zip', makeZip([{ name: 'a.pkl', data: new Uint8Array(1), packed: zeros, size: 2 ** 25 }]))
    expect(bomb.ids).toContain('archive-bomb')
    let nested: Uint8Array = latin1('text')
    for (let depth = 0; depth < 12; depth++) nested = makeZip([{ name: 'a.zip', data: nested, method: 0 }])
    expect(await scanBytes('a.zip', nested)).toMatchObject({ verdict: 'inconclusive', ids: ['too-large'] })
  })
})

describe('what the platform unpacks', () => {
  const large = (tail: Uint8Array) => {
    const rng = new Rng(5)
    return concat([latin1('\xee'), Uint8Array.from({ length: 300_000 }, () => rng.below(200)), tail])
  }
  const packers: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['gzip', gzipSync],
    ['zlib', deflateSync],
    ['zip', (bytes) => makeZip([{ name: 'w', data: bytes }])],
  ]
  test.each(packers)('is what is unpacked without it: sound, damaged, cut off, followed by more (%s)', async (_, pack) => {
    const [sound, clean] = [payload, tensor].map((tail) => new Uint8Array(pack(large(tail)))) as [Uint8Array, Uint8Array]
    const files = [
      ...[sound, clean, sound.subarray(0, 200_000), concat([sound, latin1('more')]), concat([sound, sound])],
      ...[2, 100, 150_000, sound.length - 10].map((at) => patch(sound, at, 0xff, 0xff, 0xff)),
    ]
    for (const [index, bytes] of files.entries()) {
      const here = await scanFile(memorySource('w.bin', bytes))
      expect((await scanBytes('w.bin', bytes)).report, `${index}`).toEqual(here)
      if (index === 0) expect(here.verdict).toBe('poisoned')
    }
  })

  test('is unpacked to its limit and no further', async () => {
    const zeros = new Uint8Array(2 ** 27 + 2 ** 20)
    const bomb = zstdCompressSync(zeros)
    expect(await scanBytes('a.zst', bomb)).toMatchObject({ ids: expect.arrayContaining(['archive-bomb']) })
  })

  test('ends as an undecided finding where the platform does not know Zstandard', async () => {
    expect((await scanFile(memorySource('m.pkl', zstdCompressSync(payload)))).findings.map(({ id }) => id)).toContain('archive-unread')
    const member = makeZip([{ name: 'm.pkl', data: payload, packed: zstdCompressSync(payload), method: 93 }])
    expect((await scanFile(memorySource('m.zip', member))).findings.map(({ id }) => id)).toContain('archive-unread')
  })
})

describe('NumPy', () => {
  const npy = (descr: string, data: Uint8Array) => {
    const header = `{'descr': ${descr}, 'fortran_order': False, 'shape': (1,), }`.padEnd(117)
    return concat([latin1('\x93NUMPY\x01\0'), length(header.length + 1, 2), latin1(`${header}\n`), data])
  }
  test('numbers are clean; objects are followed', async () => {
    expect(await scanBytes('a.npy', npy("'<f8'", new Uint8Array(8)))).toMatchObject({ verdict: 'clean', ids: [] })
    expect(await scanBytes('a.npy', npy("'|O'", clean))).toMatchObject({ verdict: 'clean', ids: [] })
    expect(await scanBytes('a.npy', npy("'|O'", payload))).toMatchObject({ verdict: 'poisoned', ids: ['pickle-dangerous-import'] })
    expect(await scanBytes('a.npy', npy("[('x', '<f8'), ('y', '|O')]", payload))).toMatchObject({ verdict: 'poisoned' })
    expect(await scanBytes('a.npz', makeZip([{ name: 'a.npy', data: npy("'|O'", payload) }]))).toMatchObject({ verdict: 'poisoned' })
  })
  test('a header that is more than a dictionary of literals is not believed', async () => {
    expect(await scanBytes('a.npy', npy("__import__('os').system('id')", new Uint8Array(8)))).toMatchObject({ ids: ['numpy-malformed'] })
  })
})

test('a TorchScript archive names its own classes, and holds code that was not judged', async () => {
  const data = pickle(proto(2), global('__torch__.net', 'Net'), ')', 0x81, '}b', stop)
  const member = { name: 'm/data.pkl', data, method: 0 }
  const members = [
    member,
    { name: 'm/code/__torch__/net.py', data: latin1('class Net(Module):\n  pass\n'), method: 0 },
    { name: 'm/constants.pkl', data: pickle(proto(2), ').'), method: 0 },
  ]
  expect(await scanBytes('m.pt', makeZip(members))).toMatchObject({ verdict: 'inconclusive', ids: ['torchscript-code'] })
  for (const call of ['torch.from_file("/etc/passwd", True, 9)', 'ops.aten.save(x, "/tmp/x")']) {
    const reaching = members.map((one) => (one.name.endsWith('.py') ? { ...one, data: latin1(`def f(x):\n  return ${call}\n`) } : one))
    expect(await scanBytes('m.pt', makeZip(reaching))).toMatchObject({
      verdict: 'poisoned',
      ids: ['torchscript-code', 'torchscript-file-operation'],
    })
  }
  const bad = [
    { ...member, data: pickle(proto(2), global('__torch__.net', 'Net'), callWith(global('os', 'system'), 'id'), stop) },
    ...members.slice(1),
  ]
  expect(await scanBytes('m.pt', makeZip(bad))).toMatchObject({ verdict: 'poisoned' })
})

test('a legacy file of torch.save ends with its tensors, and its pickles are followed', async () => {
  const magic = latin1('\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.')
  const legacy = (objects: Uint8Array) =>
    concat([magic, pickle(proto(2), 'M', 0xe9, 3, stop), pickle(proto(2), '}.'), objects, pickle(proto(2), ']', text('0'), 'a.'), tensor])
  expect(await scanBytes('m.pth', legacy(clean))).toMatchObject({ verdict: 'clean', ids: [] })
  expect(await scanBytes('m.pth', legacy(payload))).toMatchObject({ verdict: 'poisoned' })
})
