import { describe, expect, test } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { type ByteSource, memorySource } from '../../src/io/byte-source.js'
import { bytePairs, findPairs, findPairsHere } from '../../src/serialization/byte-pairs.js'
import { isDangerousModule } from '../../src/serialization/dangerous-imports.js'
import { judgeImport } from '../../src/serialization/judge-import.js'
import { opcodeArguments } from '../../src/serialization/pickle-opcodes.js'
import { type PickleImport, walkPickle } from '../../src/serialization/pickle-walk.js'
import { searchPickles } from '../../src/serialization/search-pickles.js'
import { concat } from '../io/make-zip.js'
import { callWith, global, latin1, length, pickle, proto, stackGlobal, stop, text } from '../support/pickle-assembler.js'
import { scanBytes } from './scan-bytes.js'

const block = 2 ** 22
const pickles = bytePairs([[0x80, 2], [0x80, 3], [0x80, 4], [0x80, 5], [0x5f, 10]], 0x5f) // biome-ignore format: a table
const keras = bytePairs([[0x5f, 0x6e], [0x5c, 0x75]]) // biome-ignore format: a table

/** As a file would be read: into memory of the reader's. */
function fileLike(bytes: Uint8Array): ByteSource {
  return { ...memorySource('f', bytes), fill: async (into, start) => into.set(bytes.subarray(start, start + into.length)) }
}

describe('pairs of bytes', () => {
  async function found(source: ByteSource, start: number, end: number, pairs: ReturnType<typeof bytePairs>) {
    const places: number[] = []
    for await (const found of findPairs(source, { start, end }, pairs)) {
      for (const place of found.places) {
        const offset = found.start + place
        const around = [offset - 1, offset, offset + 1].filter((at) => at >= start && at < end)
        for (const at of around) expect(found.bytes[at - found.start]).toBe((await source.slice(at, at + 1))[0])
        places.push(offset)
      }
    }
    return places
  }
  /** Straight from the definition, with nothing folded but what is said to be. */
  const isPickles = (a: number, b: number) => ((a & 0xfe) === 0x80 && b >= 2 && b <= 5) || (a >= 0x5e && a <= 0x7f && b === 10)
  const isKeras = (a: number, b: number) => ((a | 1) === 0x5f && b === 0x6e) || ((a | 1) === 0x5d && b === 0x75)

  test.each([
    ['pickles', pickles, isPickles, [0x80, 0x81, 2, 3, 5, 6, 10, 0x5e, 0x5f, 0x7f, 0x61, 0, 0xff]],
    ['keras', keras, isKeras, [0x5f, 0x5e, 0x6e, 0x75, 0x5c, 0x5d, 0, 0xff, 0x80]],
  ] as const)('are found as by comparing each (%s), in WebAssembly and without', async (_, pairs, isPair, alphabet) => {
    const rng = new Rng(3)
    for (const size of [0, 1, 2, 3, 63, 64, 65, 66, 127, 128, 129, 1000, 4099]) {
      for (const any of [false, true]) {
        const bytes = Uint8Array.from({ length: size }, () => (any ? rng.below(256) : (alphabet[rng.below(alphabet.length)] as number)))
        const start = rng.below(Math.min(size, 70) + 1)
        const expected: number[] = []
        for (let at = start; at + 1 < size; at++) if (isPair(bytes[at] as number, bytes[at + 1] as number)) expected.push(at)
        expect(await found(memorySource('m', bytes), start, size, pairs)).toEqual(expected)
        expect(await found(fileLike(bytes), start, size, pairs)).toEqual(expected)
        const here = new Uint32Array(size + 1)
        expect([...here.subarray(0, findPairsHere(bytes, { from: start, until: Math.max(start, size - 1) }, pairs, here))]).toEqual(
          expected,
        )
      }
    }
  })

  test('are found once each where blocks meet, and where there are more than are listed at a time', async () => {
    const bytes = new Uint8Array(2 * block + 100)
    const expected: number[] = []
    for (const border of [block, 2 * block]) {
      for (let at = border - 400; at < Math.min(border + 400, bytes.length - 1); at += 2) {
        bytes.set([0x80, 4], at)
        expected.push(at)
      }
    }
    for (let at = 100_000; at < 140_000; at += 2) bytes.set([0x80, 2], at)
    const all = [...Array.from({ length: 20_000 }, (_, i) => 100_000 + 2 * i), ...expected]
    expect(await found(fileLike(bytes), 0, bytes.length, pickles)).toEqual(all)
    expect(await found(memorySource('m', bytes), block - 101, bytes.length, pickles)).toEqual(all.filter((at) => at >= block - 101))
  })

  test('searches at the same time do not disturb each other, nor one that is broken off', async () => {
    const sources = [1, 2, 3].map((seed) => {
      const rng = new Rng(seed)
      return fileLike(Uint8Array.from({ length: 9000 }, () => [0x80, 2, 4, 0][rng.below(4)] as number))
    })
    const alone = []
    for (const source of sources) alone.push(await found(source, 0, 9000, pickles))
    for await (const _ of findPairs(sources[0] as ByteSource, { start: 0, end: 9000 }, pickles)) break
    expect(await Promise.all(sources.map((source) => found(source, 0, 9000, pickles)))).toEqual(alone)
  })

  test('a source that fails while the block before is searched makes the search fail', async () => {
    const failing: ByteSource = {
      ...fileLike(new Uint8Array(2 * block)),
      fill: async (into, start) => {
        if (start > 0) throw new Error('the disk is gone')
        into.fill(0)
      },
    }
    await expect(found(failing, 0, 2 * block, pickles)).rejects.toThrow('the disk is gone')
  })
})

/** What the search is to find, from its description: a walk from each place where a pickle may begin. */
async function searchNaively(bytes: Uint8Array): Promise<number[]> {
  const offsets: number[] = []
  const source = memorySource('m', bytes)
  const isPlausible = ({ module, name }: PickleImport) => /^[A-Za-z_][\w.]*$/.test(module) && /^[A-Za-z_][\w.]*$/.test(name)
  const isDangerous = ({ module, name }: PickleImport) => judgeImport(module, name) === 'dangerous'
  const words = Buffer.from(bytes).toString('latin1')
  for (let at = 0; at < bytes.length; at++) {
    const isBinary =
      bytes[at] === 0x80 && [2, 3, 4, 5].includes(bytes[at + 1] as number) && opcodeArguments[bytes[at + 2] ?? 0] !== undefined
    const module = bytes[at] === 0x63 ? (/^([\w.]*[_a-z])\n/.exec(words.slice(at + 1, at + 60))?.[1] ?? '') : ''
    if (!isBinary && !isDangerousModule(module)) continue
    const { imports, used, ended, opcodes } = await walkPickle(source, at)
    const plausible = imports.filter(isPlausible)
    const counts = (isBinary ? plausible : used.filter(isPlausible)).some(isDangerous)
    if (plausible.length > 0 && ((ended === 'stop' && opcodes >= 3) || counts)) offsets.push(at)
  }
  return offsets
}

describe('the search for pickles', () => {
  const system = callWith(global('os', 'system'), 'id')
  const pieces = [
    ...[proto(2), proto(3), proto(4), proto(5), stop, latin1('c'), latin1('('), latin1('R'), latin1('\n'), latin1('I'), latin1('tR.')],
    ...[
      system,
      stackGlobal('os', 'system'),
      global('collections', 'OrderedDict'),
      global('os', 'system'),
      latin1('os\n'),
      latin1('ios\nx\n'),
    ],
    ...[text('os'), text('system'), Uint8Array.of(0x93), latin1('Vos\n'), latin1("S'os'\n"), latin1('2'), latin1('q\0'), latin1('h\0')],
    ...[pickle('T', length(5, 4)), pickle('X', length(3, 4)), pickle('B', length(700, 4)), pickle(0x8d, length(9, 8)), pickle('C', 3)],
    ...[
      latin1('cpty\nspawn\n)R'),
      latin1('csubprocess\nPopen\n'),
      latin1('c__builtin__\neval\n'),
      latin1('ccollections\nOrderedDict\n)R.'),
    ],
    ...[
      latin1('a word\n'),
      new Uint8Array(9),
      Uint8Array.of(0xff),
      latin1('N'),
      pickle(0x95, length(50, 8)),
      latin1('p0\n'),
      latin1('pé\n'),
    ],
  ]

  test('finds what walks from every place find, in 400 files put together at random', async () => {
    const rng = new Rng(11)
    let found = 0
    for (let run = 0; run < 400; run++) {
      const bytes = concat(Array.from({ length: 3 + rng.below(25) }, () => pieces[rng.below(pieces.length)] as Uint8Array))
      const expected = await searchNaively(bytes)
      const { offsets, gaveUpAt } = await searchPickles(memorySource('m', bytes), 0, bytes.length)
      expect([...offsets], Buffer.from(bytes).toString('latin1')).toEqual(expected)
      expect(gaveUpAt).toBeNull()
      found += expected.length
    }
    expect(found).toBeGreaterThan(300)
  })

  test('finds them wherever blocks meet', async () => {
    const payloads = [pickle(proto(4), stackGlobal('os', 'system'), stop), latin1("cposix\nsystem\n(S'id'\ntR.")]
    for (const payload of payloads) {
      for (let shift = -payload.length - 2; shift <= 2; shift++) {
        const bytes = new Uint8Array(block + 200)
        bytes.set(payload, block + shift)
        expect((await searchPickles(fileLike(bytes), 0, bytes.length)).offsets).toEqual([block + shift])
      }
    }
  })

  test('finds one whose import lies behind a string longer than a block', async () => {
    const long = pickle('B', length(block + 5000, 4), new Uint8Array(block + 5000))
    const bytes = concat([Uint8Array.of(0xee), pickle(proto(3), long, '0', global('os', 'system'), ')R', stop)])
    expect((await searchPickles(fileLike(bytes), 0, bytes.length)).offsets[0]).toBe(1)
  })

  test('gives up where what looks like pickles would cost more than the file is worth, and says where', async () => {
    const lines = concat(Array.from({ length: 60_000 }, () => latin1('\x80\x02ca\nb\n')))
    const { offsets, gaveUpAt } = await searchPickles(memorySource('m', lines), 0, lines.length)
    expect(offsets).toEqual([])
    expect(gaveUpAt).toBeGreaterThan(0)
    expect(await scanBytes('a.bin', concat([Uint8Array.of(0xee), lines]))).toMatchObject({ verdict: 'inconclusive' })
  })

  test('a list of words has no pickles, though one may stand below another like an import', async () => {
    for (const words of ['the\ncos\ncosine\n', 'cos\nsystem\n', 'a\ncsys\nRome\n', 'x\nccode\nReply\n.\n', 'cnt\nhello\ncat\n']) {
      expect((await scanBytes('vocab.txt', latin1(words))).verdict, words).toBe('clean')
    }
  })

  test.each(['cwebbrowser\nopen\n(Vx\ntR.', 'xcpty\nspawn\n(Vx\ntR', 'chttp.server\ntest\n)R', "cos\nsystem\np0\n0g0\n(S'id'\ntR."])(
    'finds %j in a text, which calls what it imports',
    async (words) => {
      expect((await scanBytes('notes.txt', latin1(`Some words.\n${words}`))).ids).toContain('pickle-dangerous-import')
    },
  )
})
