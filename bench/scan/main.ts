import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { Rng } from '../../src/core/rng.js'
import { makeSafetensors } from '../../test/io/make-safetensors.js'
import { concat, makeZip } from '../../test/io/make-zip.js'
import { message } from '../../test/serialization/make-models.js'
import { global, latin1, length, pickle, proto, stop, text } from '../../test/support/pickle-assembler.js'
import { describeMachine } from '../machine.js'

interface Once {
  readonly verdict: string
  /** The first time in the process, and again. */
  readonly elapsedMs: readonly number[]
  readonly cpuMs: readonly number[]
  readonly peakMiB: number
}

const { values: flags } = parseArgs({ options: { mib: { type: 'string' }, repeats: { type: 'string' }, folder: { type: 'string' } } })
const mib = Number(flags.mib ?? 1024)
const repeats = Number(flags.repeats ?? 3)
const folder = mkdtempSync(join(flags.folder ?? tmpdir(), 'assay-scan-'))
const rng = new Rng(1)
const noise = Uint8Array.from({ length: 2 ** 20 }, () => rng.below(256))
const once = (...args: readonly string[]): Once =>
  JSON.parse(execFileSync(process.execPath, [process.env.BENCH_SCAN_ONCE as string, ...args], { encoding: 'utf8' }))

/** Head, then so many megabytes of noise, then tail. */
function write(name: string, head: Uint8Array, tail: Uint8Array): string {
  const path = join(folder, name)
  const handle = openSync(path, 'w')
  writeSync(handle, head)
  for (let i = 0; i < mib; i++) writeSync(handle, noise)
  writeSync(handle, tail)
  closeSync(handle)
  return path
}

/** A `.pt` of one large tensor: an archive of the small members, with room made for it in front of the directory. */
function torchArchive(): string {
  const data = pickle(proto(2), global('collections', 'OrderedDict'), ')R', stop)
  const small = makeZip([
    { name: 'm/data.pkl', data, method: 0 },
    { name: 'm/data/0', data: new Uint8Array(0), method: 0 },
  ])
  const directoryAt = Buffer.from(small).indexOf('PK\x01\x02', 0, 'latin1')
  const bytes = mib * 2 ** 20
  let crc = 0
  for (let i = 0; i < mib; i++) crc = crc32(noise, crc)
  const [head, tail] = [small.slice(0, directoryAt), small.slice(directoryAt)]
  const [local, central] = [new DataView(head.buffer), new DataView(tail.buffer)]
  const localAt = Buffer.from(head).lastIndexOf('PK\x03\x04', undefined, 'latin1')
  const centralAt = Buffer.from(tail).lastIndexOf('PK\x01\x02', undefined, 'latin1')
  for (const [view, at] of [
    [local, localAt + 14],
    [central, centralAt + 16],
  ] as const) {
    view.setUint32(at, crc, true)
    view.setUint32(at + 4, bytes, true)
    view.setUint32(at + 8, bytes, true)
  }
  central.setUint32(tail.length - 6, directoryAt + bytes, true)
  return write('model.pt', head, tail)
}

/** A joblib file: one array between the opcodes. */
function joblib(): string {
  const dtype = pickle(global('numpy', 'dtype'), text('u1'), 0x89, 0x88, 0x87, 'R')
  const shape = pickle(text('shape'), 'J', length(mib * 2 ** 20, 4), 0x85)
  return write(
    'model.joblib',
    pickle(proto(3), global('joblib.numpy_pickle', 'NumpyArrayWrapper'), ')', 0x81, '}(', shape, text('dtype'), dtype, 'ub'),
    stop,
  )
}

const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))])
/** The head of a field of bytes, the last in its message, whose `rest` follows elsewhere. */
const fieldHead = (field: number, rest: number) => [field * 8 + 2, ...varint(rest)]

function onnx(): string {
  const bytes = mib * 2 ** 20
  const tensor = [...message([1, 4], [2, 1]), ...fieldHead(9, bytes)]
  const graph = [...message([1, message([4, 'Relu'])]), ...fieldHead(5, tensor.length + bytes), ...tensor]
  return write('model.onnx', Uint8Array.from([...message([1, 8]), ...fieldHead(7, graph.length + bytes), ...graph]), new Uint8Array(0))
}

/** A SavedModel of a node and a constant, the tensor of which is noise. */
function tensorFlow(): string {
  const bytes = mib * 2 ** 20
  const within = (field: number, inner: number[]) => [...fieldHead(field, inner.length + bytes), ...inner]
  const tensor = within(8, fieldHead(4, bytes))
  const attribute = within(5, [...message([1, 'value']), ...within(2, tensor)])
  const node = within(1, [...message([1, 'c'], [2, 'Const']), ...attribute])
  const meta = within(2, [...message([1, message([1, 'n'], [2, 'MatMul'])]), ...node])
  return write('saved_model.pb', Uint8Array.from([...message([1, 1]), ...within(2, meta)]), new Uint8Array(0))
}

/** With the 150,000 tokens of a vocabulary. */
function gguf(): string {
  const string = (value: string) => concat([length(value.length, 8), latin1(value)])
  const tokens = concat(Array.from({ length: 150_000 }, (_, i) => string(`token${i}`)))
  const entry = concat([string('tokenizer.ggml.tokens'), length(9, 4), length(8, 4), length(150_000, 8), tokens])
  const tensor = concat([string('w'), length(1, 4), length(mib * 2 ** 20, 8), length(24, 4), length(0, 8)])
  return write('model.gguf', concat([latin1('GGUF'), length(3, 4), length(1, 8), length(1, 8), entry, tensor]), new Uint8Array(64))
}

function npy(): string {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${mib * 2 ** 20},), }`.padEnd(117)
  return write('array.npy', concat([latin1('\x93NUMPY\x01\0'), length(header.length + 1, 2), latin1(`${header}\n`)]), new Uint8Array(0))
}

/** Floats that pack about as well as weights do, in a pickle. */
function numbers(bytes: number): Uint8Array {
  const weights = Float32Array.from({ length: bytes / 4 }, () => Math.fround(rng.below(2 ** 12) / 2 ** 12))
  return pickle(proto(4), 0x8e, length(bytes, 8), new Uint8Array(weights.buffer), stop)
}

/** Files whose packed data, from a place to a place, is unpacked plainly for comparison. */
function packedFiles() {
  const data = numbers(Math.min(mib, 100) * 2 ** 20)
  const put = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes)
    return join(folder, name)
  }
  const deflated = new Uint8Array(deflateRawSync(data))
  const gzipped = gzipSync(data)
  const zip = makeZip([{ name: 'm/data.pkl', data, packed: deflated }])
  const from = Buffer.from(zip.buffer).indexOf(deflated.subarray(0, 64))
  return [
    { path: put('packed.pkl.gz', gzipped), beside: ['gunzip', '0', `${gzipped.length}`], reads: 'every byte that comes out' },
    { path: put('packed.zip', zip), beside: ['inflate', `${from}`, `${from + deflated.length}`], reads: 'every byte that comes out' },
  ]
}

/** A pickle of opcodes and nothing else: a list of numbers. */
function objects(): string {
  const many = pickle(...Array.from({ length: 1000 }, (_, i) => pickle('G', length(i, 8))))
  const repeated = Math.floor((Math.min(mib, 64) * 2 ** 20) / many.length)
  const path = join(folder, 'objects.pkl')
  writeFileSync(path, concat([pickle(proto(2), ']'), ...Array.from({ length: repeated }, () => pickle('(', many, 'e')), stop]))
  return path
}

try {
  const header = makeSafetensors({ w: { dtype: 'U8', shape: [mib * 2 ** 20], data_offsets: [0, mib * 2 ** 20] } })
  const files: readonly { readonly path: string; readonly reads: string; readonly beside?: readonly string[] }[] = [
    { path: write('model.safetensors', header, new Uint8Array(0)), reads: 'the header' },
    { path: torchArchive(), reads: 'the directory, the headers, data.pkl and the first bytes of the tensor' },
    { path: joblib(), reads: 'the opcodes around the array' },
    { path: onnx(), reads: 'the graph around the tensor' },
    { path: gguf(), reads: 'the header, with its vocabulary' },
    { path: npy(), reads: 'the header' },
    { path: tensorFlow(), reads: 'the nodes; every byte, for configurations' },
    { path: write('model.h5', latin1('\x89HDF\r\n\x1a\n'), new Uint8Array(0)), reads: 'every byte, for configurations' },
    { path: write('model.bin', latin1('\xee\xee'), new Uint8Array(0)), reads: 'every byte, for pickles' },
    { path: objects(), reads: 'every opcode' },
    ...packedFiles(),
  ]
  console.log(
    `${describeMachine()}\n${mib} MiB a file, best of ${repeats}, from the page cache; reading is by blocks of 1 MiB, and unpacking Node's\n`,
  )
  for (const { path, reads, beside = ['read'] } of files) {
    const [what = '', ...range] = beside
    const rows = Array.from({ length: repeats }, () => ({ read: once(what, path, ...range), scan: once('scan', path) }))
    const least = (key: 'read' | 'scan', of: (once: Once) => readonly number[]) => Math.min(...rows.flatMap((row) => of(row[key])))
    const ratio = (of: (once: Once) => readonly number[]) => `${((100 * least('read', of)) / least('scan', of)).toFixed(0)} %`.padStart(6)
    const columns = [
      `by CPU time ${ratio(({ cpuMs }) => cpuMs)} of ${what}`,
      `${ratio(({ cpuMs }) => cpuMs.slice(0, 1))} when it is the first of its process`,
      `by the clock ${ratio(({ elapsedMs }) => elapsedMs)}`,
      `${Math.max(...rows.map(({ scan }) => scan.peakMiB)).toFixed(0)} MiB`,
    ]
    console.log(`${path.split('/').pop()?.padEnd(18)} ${rows[0]?.scan.verdict.padEnd(13)} ${columns.join('; ')}; reads ${reads}`)
  }
  for (const { path } of files) rmSync(path)

  const repository = join(folder, 'repository')
  mkdirSync(repository)
  const shardBytes = 2 ** 30
  for (let shard = 1; shard <= 7; shard++) {
    const shardHeader = makeSafetensors({ w: { dtype: 'BF16', shape: [shardBytes / 2], data_offsets: [0, shardBytes] } })
    const handle = openSync(join(repository, `model-0000${shard}-of-00007.safetensors`), 'w')
    writeSync(handle, shardHeader)
    ftruncateSync(handle, shardHeader.length + shardBytes) // a hole: takes no room on the disk
    closeSync(handle)
  }
  writeFileSync(join(repository, 'config.json'), '{"model_type": "llama"}\n')
  const { verdict, elapsedMs, cpuMs, peakMiB } = once('scan', repository)
  console.log(
    `\na repository of 7 GiB in 7 shards: ${verdict} in ${elapsedMs[0]?.toFixed(0)} ms (${cpuMs[0]?.toFixed(0)} ms of CPU), ${peakMiB.toFixed(0)} MiB of memory at most`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
