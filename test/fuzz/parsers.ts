import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { InputError } from '../../src/core/errors.js'
import type { Rng } from '../../src/core/rng.js'
import type { ArraySource } from '../../src/io/array-source.js'
import { memorySource } from '../../src/io/byte-source.js'
import { crc32 } from '../../src/io/crc32.js'
import type { FileArray } from '../../src/io/file-array.js'
import { readTextLabels } from '../../src/io/label-text.js'
import { loadAudit } from '../../src/io/load.js'
import { openNpyRows, readNpy } from '../../src/io/npy.js'
import { openNpz } from '../../src/io/npz.js'
import { openParquet } from '../../src/io/parquet.js'
import { openRowImages } from '../../src/io/row-images.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { readTexts } from '../../src/io/texts.js'
import { decodePicture } from '../../src/model/pictures/node-codecs.js'
import { makeNpy } from '../io/make-npy.js'
import { type Column, deltaPacked, makeParquet, type ParquetOptions } from '../io/make-parquet.js'
import { makeSafetensors, safetensorsOf } from '../io/make-safetensors.js'
import { concat, makeZip } from '../io/make-zip.js'
import { collectRows } from '../support/collect-rows.js'

/** What one parser is fed with, and how. */
export interface FuzzParser {
  readonly name: string
  /** Files that it reads. */
  readonly good: readonly Uint8Array[]
  /** A file whose headers say what is not so. */
  readonly lie?: (rng: Rng) => Uint8Array
  /** Reads all there is, matrices in blocks of `rowsPerBlock` rows too. Throws `InputError` for what is refused; anything else it throws is a fault. */
  readonly read: (bytes: Uint8Array, rowsPerBlock: number) => Promise<void>
}

/** Where a case went wrong: everything that is needed to run it again. */
export interface FuzzFault {
  readonly parser: string
  readonly seed: number
  readonly index: number
  readonly what: string
}

export interface FuzzResult {
  readonly read: number
  readonly refused: number
  readonly slowestMs: number
  readonly faults: readonly FuzzFault[]
}

/** Cuts, lengthens, flips bits, changes digits, writes random or extreme bytes: up to eight damages, or bytes that were never good. */
export function damage(good: Uint8Array, rng: Rng): Uint8Array {
  const kind = rng.below(12)
  if (kind === 0) return good.slice(0, rng.below(good.length))
  if (kind === 1) return Uint8Array.from([...good, ...Array.from({ length: 1 + rng.below(20) }, () => rng.below(256))])
  const bytes = good.slice()
  if (kind === 2) return bytes.map((byte, index) => (index < 8 ? byte : rng.below(256)))
  // anywhere, in the header, near the end, or in a footer
  const spans = [bytes.length, Math.min(bytes.length, 80), Math.min(bytes.length, 24), Math.min(bytes.length, 400)]
  const region = rng.below(4)
  const span = spans[region] as number
  const start = region < 2 ? 0 : bytes.length - span
  for (let times = 1 + rng.below(8); times > 0; times--) {
    const at = start + rng.below(span)
    const old = bytes[at] as number
    if (kind < 6) bytes[at] = old ^ (1 << rng.below(8))
    else if (kind < 9) bytes[at] = rng.below(256)
    else if (kind < 11) bytes.fill(rng.below(2) ? 0xff : 0, at, at + 1 + rng.below(8))
    else if (old >= 0x30 && old < 0x3a) bytes[at] = 0x30 + rng.below(10)
  }
  return bytes
}

/** Runs cases `0 … cases − 1` of one parser; case i is the same whatever the number of cases. */
export async function fuzz(parser: FuzzParser, { rng, seed, cases }: { rng: Rng; seed: number; cases: number }): Promise<FuzzResult> {
  const seen = { read: 0, refused: 0 }
  const faults: FuzzFault[] = []
  let slowestMs = 0
  for (let index = 0; index < cases && faults.length < 20; index++) {
    const own = rng.fork(`${parser.name}/${index}`)
    const lying = parser.lie && own.below(4) === 0
    const bytes = lying && parser.lie ? parser.lie(own) : damage(parser.good[index % parser.good.length] as Uint8Array, own)
    const started = performance.now()
    try {
      await parser.read(bytes, 1 + own.below(8))
      seen.read++
    } catch (error) {
      if (error instanceof InputError && error.message.length < 4000) seen.refused++
      else faults.push({ parser: parser.name, seed, index, what: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
    const elapsed = performance.now() - started
    slowestMs = Math.max(slowestMs, elapsed)
    if (elapsed > 5000) faults.push({ parser: parser.name, seed, index, what: `took ${Math.round(elapsed)} ms` })
  }
  return { ...seen, slowestMs, faults }
}

/** The parsers of everything that `assay audit` reads, and of the pictures that `assay extract` does. */
export function fuzzParsers(fixtures: string): FuzzParser[] {
  const folder = (name: string, ending: string) =>
    readdirSync(join(fixtures, name))
      .filter((file) => file.endsWith(ending))
      .map((file) => new Uint8Array(readFileSync(join(fixtures, name, file))))
  const matrix = { name: 'activations.npy', data: new Uint8Array(readFileSync(join(fixtures, 'npy', 'float32-little-C-v1.npy'))) }
  const vector = { name: 'labels.npy', data: new Uint8Array(readFileSync(join(fixtures, 'npy', 'vector.npy'))) }
  return [
    {
      name: 'npy',
      good: folder('npy', '.npy'),
      read: async (bytes, rowsPerBlock) => {
        const source = memorySource('f', bytes)
        await checkBothWays(
          { readArray: (where) => readNpy(source, where), openRows: (where) => openNpyRows(source, where) },
          bytes,
          rowsPerBlock,
        )
      },
    },
    {
      name: 'npz',
      good: [
        ...folder('npy', '.npz'),
        makeZip(
          [
            { ...vector, zip64: true },
            { ...matrix, method: 0 },
          ],
          { zip64End: true },
        ),
      ],
      read: async (bytes, rowsPerBlock) => {
        await ofAudit(bytes, rowsPerBlock)
        for (const member of (await openNpz(memorySource('f', bytes))).values()) {
          await checkBothWays(
            { readArray: (where) => readNpy(member, where), openRows: (where) => openNpyRows(member, where) },
            null,
            rowsPerBlock,
          )
        }
      },
    },
    { name: 'safetensors', good: goodSafetensors(), lie: lyingSafetensors, read: readBundle(openSafetensors) },
    { name: 'parquet', good: [...goodParquet(), ...folder('parquet', '.parquet')], lie: lyingParquet, read: readBundle(openParquet) },
    { name: 'labels', good: goodTexts(), read: readText },
    { name: 'images', good: goodImages(), lie: lyingImages, read: readImages },
    { name: 'pictures', good: goodPictures(fixtures), lie: lyingPng(goodPictures(fixtures)), read: readPicture },
    { name: 'texts', good: goodTextLines(), read: async (bytes) => void (await readTexts(memorySource('f', bytes), 3)) },
  ]
}

function readBundle(open: typeof openSafetensors): FuzzParser['read'] {
  return async (bytes, rowsPerBlock) => {
    await ofAudit(bytes, rowsPerBlock)
    let refused: unknown
    for (const array of (await open(memorySource('f', bytes))).values()) {
      try {
        await checkBothWays(array, bytes, rowsPerBlock)
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        refused = error
      }
    }
    if (refused) throw refused
  }
}

async function ofAudit(bytes: Uint8Array, rowsPerBlock: number): Promise<void> {
  try {
    const { activations, images } = await loadAudit(memorySource('f', bytes))
    for (let pass = 0; pass < 2; pass++) await collectRows(activations, rowsPerBlock)
    for (let index = 0; index < (images?.count ?? 0); index++) await images?.read(index)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
  }
}

/** Where the array is a matrix of numbers, passes have to give what the whole array holds, and refuse it with the same words. */
async function checkBothWays(
  array: Pick<ArraySource, 'readArray' | 'openRows'>,
  bytes: Uint8Array | null,
  rowsPerBlock: number,
): Promise<void> {
  const attempt = async <T>(read: () => Promise<T>) => {
    try {
      return await read()
    } catch (error) {
      if (error instanceof InputError) return error
      throw error
    }
  }
  const inPasses = await attempt(async () => collectRows(await array.openRows('f'), rowsPerBlock))
  const whole = await attempt(() => array.readArray('f'))
  if (whole instanceof InputError) {
    if (!(inPasses instanceof InputError)) throw new Error(`a pass reads what is refused as a whole: ${whole.message}`)
    throw whole
  }
  if (bytes) checkArray(whole, bytes)
  if (inPasses instanceof InputError) {
    if (!['bad-shape', 'bad-type', 'empty'].includes(inPasses.code))
      throw new Error(`a pass refuses what is read as a whole: ${inPasses.message}`)
  } else if (
    !Array.from<unknown>(whole.data as ArrayLike<unknown>).every((value, index) => Object.is(Number(value), inPasses.data[index]))
  ) {
    throw new Error('a pass gives other values')
  }
}

/** As CSV or whatever its first character says, and as JSON lines; refused where both refuse it. */
async function readText(bytes: Uint8Array): Promise<void> {
  const refusals: InputError[] = []
  for (const name of ['f', 'f.jsonl']) {
    try {
      const labels = await readTextLabels(memorySource(name, bytes), 'f', ['label'])
      if (labels.length > bytes.length) throw new Error(`${labels.length} labels out of ${bytes.length} bytes`)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      refusals.push(error)
    }
  }
  if (refusals[1]) throw refusals[1]
}

/** All pictures, of a file of its own and of a bundle; each is as large as it says, and has a row of its own. */
async function readImages(bytes: Uint8Array): Promise<void> {
  const { count, rows, read } = await openRowImages(memorySource('f', bytes), imageRows)
  if (rows ? new Set(Array.from(rows)).size !== count || rows.length !== count : count !== imageRows) throw new Error(`${count} pictures`)
  let refused: unknown
  for (let index = 0; index < count; index++) {
    try {
      const image = await read(index)
      const expected = image.kind === 'pixels' ? image.width * image.height * image.channels : image.data.length
      if (image.data.length !== expected || image.data.length > 1100 * bytes.length + 2 ** 24) throw new Error(`${image.data.length} bytes`)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      refused = error
    }
  }
  if (refused) throw refused
}

/** A picture is as large as it says. */
async function readPicture(bytes: Uint8Array): Promise<void> {
  const { width, height, channels, data } = await decodePicture(bytes, 'f')
  if (data.length !== width * height * channels || data.length > 1100 * bytes.length * 4 + 2 ** 24) throw new Error(`${data.length} bytes`)
}

function goodPictures(fixtures: string): Uint8Array[] {
  const goldens = JSON.parse(readFileSync(join(fixtures, 'pictures', 'pictures.json'), 'utf8')) as { file: string }[]
  return goldens.map(({ file }) => new Uint8Array(Buffer.from(file, 'base64')))
}

/** PNG files with a damaged part whose checksum is right. */
function lyingPng(pictures: readonly Uint8Array[]): NonNullable<FuzzParser['lie']> {
  const files = pictures.filter((bytes) => bytes[0] === 0x89)
  return (rng) => {
    const bytes = (files[rng.below(files.length)] as Uint8Array).slice()
    const view = new DataView(bytes.buffer)
    for (let at = 8; at < bytes.length; ) {
      const end = at + 8 + view.getUint32(at)
      if (rng.below(2)) bytes.set(damage(bytes.slice(at + 8, end), rng).subarray(0, end - at - 8), at + 8)
      view.setUint32(end, crc32(bytes.subarray(at + 4, end)))
      at = end + 4
    }
    return bytes
  }
}

/** An answer has the values that its shape asks for, and no more of them than a file of that size may hold. */
function checkArray({ shape, data }: FileArray, bytes: Uint8Array): void {
  const expected = shape.reduce((product, size) => product * size, 1)
  if (data.length !== expected) throw new Error(`${data.length} values for shape [${shape}]`)
  if (data.length * 8 > 1100 * bytes.length + 2 ** 24) throw new Error(`${data.length} values out of ${bytes.length} bytes`)
}

function goodSafetensors(): Uint8Array[] {
  const activations = ['F32', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)] as const
  const labels = ['I64', [3], BigInt64Array.of(5n, 7n, 5n)] as const
  const half = ['BF16', [2, 2], Uint16Array.of(1, 2, 3, 4)] as const
  const images = ['U8', [3, 1, 2], new Uint8Array(6)] as const
  return [
    safetensorsOf({ activations, labels, images }),
    safetensorsOf({ x: half, labels, activations, empty: ['U8', [0], new Uint8Array(0)] }),
  ]
}

function lyingSafetensors(rng: Rng): Uint8Array {
  const number = () => [rng.below(8), 4 * rng.below(8), 2 ** rng.below(64), -1, 0.5][rng.below(rng.below(4) ? 2 : 5)]
  const dtype = () => ['F32', 'U8', 'F64', 'F4', 7][rng.below(rng.below(4) ? 2 : 5)]
  const shape = () => Array.from({ length: rng.below(4) }, number)
  const tensors = Array.from({ length: 1 + rng.below(3) }, (_, index) => {
    const tensor = JSON.stringify({ dtype: dtype(), shape: shape(), data_offsets: [number(), number()] })
    return `${JSON.stringify(['activations', 'labels', 'x', 'x'][(index + rng.below(2)) % 4])}:${tensor}`
  })
  const length = rng.below(4) ? undefined : BigInt(rng.below(2 ** 31)) << BigInt(rng.below(32))
  return makeSafetensors(`{${tensors.join(',')}}`, new Uint8Array(rng.below(64)), length)
}

const lists: Column = { name: 'activations', kind: 'float', lists: 1, rows: Array.from({ length: 12 }, (_, row) => [row, row % 3, 1]) }
const nested: Column = {
  name: 'x',
  kind: 'double',
  lists: 2,
  rows: Array.from({ length: 12 }, (_, row) => [
    [row, 1],
    [2, 3],
  ]),
}
const words: Column = { name: 'labels', kind: 'string', rows: Array.from({ length: 12 }, (_, row) => ['stop', 'go', ''][row % 3]) }
const flags: Column = { name: 'b', kind: 'bool', rows: Array.from({ length: 12 }, (_, row) => row % 5 === 0) }
const counts: Column = { name: 'c', kind: 'int32', rows: Array.from({ length: 12 }, (_, row) => row * row - 40) }
const wide: Column = { name: 'w', kind: 'int64', lists: 1, rows: Array.from({ length: 12 }, (_, row) => [2 ** (5 * row), -row]) }

function goodParquet(): Uint8Array[] {
  const all = [lists, nested, words, flags]
  const deltas = [lists, words, flags, counts, wide, { ...words, name: 'text' }, files]
  const crc = (bytes: Uint8Array) => crc32(bytes)
  return [
    makeParquet(all),
    makeParquet(all, { groupRows: 5, pageEntries: 4, version: 2 }),
    makeParquet([lists, words], { dictionary: true, groupRows: 4 }),
    makeParquet([lists, words], { codec: 6, compress: zstdCompressSync }),
    makeParquet([lists, words], { crc }),
    makeParquet(deltas, { delta: 6 }),
    makeParquet(deltas, { delta: 7, version: 2, groupRows: 7, pageEntries: 4 }),
    makeParquet([lists, words, files, paths, { ...words, name: 'text' }], { groupRows: 7 }),
  ]
}

function lyingParquet(rng: Rng): Uint8Array {
  const number = () => [rng.below(40), 2 ** rng.below(31), 12][rng.below(3)] as number
  const random = () => Uint8Array.from({ length: rng.below(24) }, () => (rng.below(3) ? rng.below(256) : 0xff))
  const lies: ParquetOptions[] = [
    { numRows: number() },
    { numValues: number() },
    { pageSize: number() },
    { chunkOffset: number() },
    { levels: random() },
    { body: random() },
    { codec: rng.below(9) },
    { body: lyingDeltas(rng, rng.below(2) ? wide.rows.length : 2 * wide.rows.length), encoding: 3 + rng.below(5) },
    { delta: 7, deltaBlocks: { blockValues: 32 * (1 + rng.below(8)), miniblocks: 1 + rng.below(8) } },
  ]
  const honest: ParquetOptions[] = [
    {},
    { dictionary: true },
    { version: 2 },
    { dictionary: true, version: 2 },
    { delta: 6 },
    { delta: 7, version: 2 },
  ]
  const lie = { ...lies[rng.below(lies.length)], ...(rng.below(3) ? {} : lies[rng.below(lies.length)]) }
  const first = [lists, nested, counts, wide][rng.below(4)] as Column
  return makeParquet([first, words], { ...honest[rng.below(honest.length)], ...lie })
}

/** Streams of deltas, with headers, lengths and prefixes that may be right, for `length` values; then any bytes. */
function lyingDeltas(rng: Rng, length: number): Uint8Array {
  const size = () => [rng.below(4), rng.below(40) - 8, 2 ** rng.below(32)][rng.below(rng.below(4) ? 1 : 3)] as number
  const stream = () => {
    const values = Array.from({ length: rng.below(8) ? length : rng.below(40) }, size)
    const packed = deltaPacked(values, { miniblocks: 2 ** rng.below(3), bits: rng.below(2) ? 32 : 64 })
    for (let times = rng.below(4); times > 0; times--) packed[rng.below(Math.min(packed.length, 16))] = rng.below(256)
    return packed
  }
  return concat([
    ...Array.from({ length: 1 + rng.below(2) }, stream),
    Uint8Array.from({ length: rng.below(80) }, () => 0x61 + rng.below(26)),
  ])
}

const imageRows = 12
const pictures = (count: number) => makeNpy({ descr: '|u1', shape: `(${count}, 2, 2)` }, new Uint8Array(4 * count).fill(7))
const ofRows = makeNpy({ descr: '<i4', shape: '(3,)' }, Int32Array.of(11, 0, 5))
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 1)
const files: Column = { name: 'bytes', kind: 'binary', within: 'image', rows: Array.from({ length: imageRows }, () => png) }
const paths: Column = { name: 'path', kind: 'string', within: 'image', rows: files.rows.map(() => 'a.png') }

function goodImages(): Uint8Array[] {
  return [
    pictures(imageRows),
    makeZip([{ name: 'images.npy', data: pictures(imageRows) }]),
    ...[0, 8].map((method) =>
      makeZip(Object.entries({ index: ofRows, images: pictures(3) }).map(([name, data]) => ({ name, data, method }))),
    ),
    safetensorsOf({ images: ['U8', [3, 2, 2], new Uint8Array(12)], index: ['I64', [3], BigInt64Array.of(4n, 2n, 0n)] }),
    makeParquet([files, paths]),
    makeParquet([files, paths], { groupRows: 5, version: 2, pageEntries: 2 }),
    makeParquet([{ ...files, name: 'image', within: undefined }], { dictionary: true }),
    makeParquet([files, paths], { delta: 6 }),
    makeParquet([files, paths], { delta: 7, version: 2, pageEntries: 5 }),
  ]
}

function lyingImages(rng: Rng): Uint8Array {
  const size = () => [rng.below(16), 2 ** rng.below(32), 2][rng.below(3)] as number
  if (rng.below(2)) {
    const shape = Array.from({ length: 2 + rng.below(4) }, size).join(', ')
    const data = makeNpy({ descr: rng.below(8) ? '|u1' : '<f4', shape: `(${shape})` }, new Uint8Array(rng.below(64)))
    const index = makeNpy(
      { descr: '<i4', shape: `(${size()},)` },
      Int32Array.from({ length: rng.below(8) }, () => rng.below(16) - 1),
    )
    return makeZip([
      { name: 'images.npy', data, size: rng.below(4) ? undefined : size() },
      { name: 'index.npy', data: index },
    ])
  }
  const options: ParquetOptions = [
    { numRows: size() },
    { numValues: size() },
    { pageSize: size() },
    { body: new Uint8Array(rng.below(64)) },
  ][rng.below(4)] as ParquetOptions
  return makeParquet([files, paths], { ...options, groupRows: 1 + rng.below(12) })
}

function goodTextLines(): Uint8Array[] {
  const lines = new TextEncoder().encode('{"i": 0, "text": "a"}\n"b\\u0041"\n{"text": "é"}\n')
  return [lines, gzipSync(lines), gzipSync(lines, { level: 0 }), makeNpy({ descr: '|S1', shape: '(3,)' }, [65, 66, 67])].map(
    (bytes) => new Uint8Array(bytes),
  )
}

function goodTexts(): Uint8Array[] {
  const texts = [
    'label\n5\n7\n5\n12\n-3\n',
    'id,label,x\r\na,"stop, ""now""",9\r\nb,go,9\r\n',
    '[5, 7, "a", -1, 9007199254740993]',
    '{"label": 5, "x": [1, 2]}\n{"label": "a"}\n',
    '"a"\n"b\\u0041"\n',
  ]
  return texts.map((text) => new TextEncoder().encode(text))
}
