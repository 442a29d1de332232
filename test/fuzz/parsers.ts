import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { InputError } from '../../src/core/errors.js'
import type { Rng } from '../../src/core/rng.js'
import { memorySource } from '../../src/io/byte-source.js'
import { crc32 } from '../../src/io/crc32.js'
import type { FileArray } from '../../src/io/file-array.js'
import { readTextLabels } from '../../src/io/label-text.js'
import { loadAudit } from '../../src/io/load.js'
import { readNpy } from '../../src/io/npy.js'
import { openNpz } from '../../src/io/npz.js'
import { openParquet } from '../../src/io/parquet.js'
import { openSafetensors } from '../../src/io/safetensors.js'
import { type Column, makeParquet, type ParquetOptions } from '../io/make-parquet.js'
import { makeSafetensors, safetensorsOf } from '../io/make-safetensors.js'
import { makeZip } from '../io/make-zip.js'

/** What one parser is fed with, and how. */
export interface FuzzParser {
  readonly name: string
  /** Files that it reads. */
  readonly good: readonly Uint8Array[]
  /** A file whose headers say what is not so. */
  readonly lie?: (rng: Rng) => Uint8Array
  /** Reads all there is. Throws `InputError` for what is refused; anything else it throws is a fault. */
  readonly read: (bytes: Uint8Array) => Promise<void>
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
      await parser.read(bytes)
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

/** The parsers of everything that `assay audit` reads. */
export function fuzzParsers(fixtures: string): FuzzParser[] {
  const folder = (name: string, ending: string) =>
    readdirSync(join(fixtures, name))
      .filter((file) => file.endsWith(ending))
      .map((file) => new Uint8Array(readFileSync(join(fixtures, name, file))))
  const vector = { name: 'labels.npy', data: new Uint8Array(readFileSync(join(fixtures, 'npy', 'vector.npy'))) }
  return [
    { name: 'npy', good: folder('npy', '.npy'), read: async (bytes) => checkArray(await readNpy(memorySource('f', bytes), 'f'), bytes) },
    {
      name: 'npz',
      good: [...folder('npy', '.npz'), makeZip([{ ...vector, zip64: true }], { zip64End: true })],
      read: async (bytes) => {
        await ofAudit(bytes)
        for (const member of (await openNpz(memorySource('f', bytes))).values()) await readNpy(member, 'f')
      },
    },
    { name: 'safetensors', good: goodSafetensors(), lie: lyingSafetensors, read: readBundle(openSafetensors) },
    { name: 'parquet', good: [...goodParquet(), ...folder('parquet', '.parquet')], lie: lyingParquet, read: readBundle(openParquet) },
    { name: 'labels', good: goodTexts(), read: readText },
  ]
}

function readBundle(open: typeof openSafetensors): FuzzParser['read'] {
  return async (bytes) => {
    await ofAudit(bytes)
    let refused: unknown
    for (const array of (await open(memorySource('f', bytes))).values()) {
      try {
        checkArray(await array.readArray('f'), bytes)
      } catch (error) {
        if (!(error instanceof InputError)) throw error
        refused = error
      }
    }
    if (refused) throw refused
  }
}

async function ofAudit(bytes: Uint8Array): Promise<void> {
  await loadAudit(memorySource('f', bytes)).catch((error) => {
    if (!(error instanceof InputError)) throw error
  })
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
  return [safetensorsOf({ activations, labels }), safetensorsOf({ x: half, labels, activations, empty: ['U8', [0], new Uint8Array(0)] })]
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

function goodParquet(): Uint8Array[] {
  const all = [lists, nested, words, flags]
  const crc = (bytes: Uint8Array) => crc32(bytes)
  return [
    makeParquet(all),
    makeParquet(all, { groupRows: 5, pageEntries: 4, version: 2 }),
    makeParquet([lists, words], { dictionary: true, groupRows: 4 }),
    makeParquet([lists, words], { codec: 6, compress: zstdCompressSync }),
    makeParquet([lists, words], { crc }),
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
  ]
  const honest: ParquetOptions[] = [{}, { dictionary: true }, { version: 2 }, { dictionary: true, version: 2 }]
  const lie = { ...lies[rng.below(lies.length)], ...(rng.below(3) ? {} : lies[rng.below(lies.length)]) }
  return makeParquet([rng.below(2) ? lists : nested, words], { ...honest[rng.below(honest.length)], ...lie })
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
