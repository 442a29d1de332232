import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { crc32 } from 'node:zlib'
import { makeSafetensors } from '../../test/io/make-safetensors.js'
import { makeZip } from '../../test/io/make-zip.js'
import { message } from '../../test/serialization/make-models.js'
import { global, latin1, length, pickle, proto, stop, text } from '../../test/support/pickle-assembler.js'
import { describeMachine } from '../machine.js'

interface Once {
  readonly verdict: string
  readonly elapsedMs: number
  readonly cpuMs: number
  readonly maxRssMiB: number
}

const { values: flags } = parseArgs({ options: { mib: { type: 'string' }, repeats: { type: 'string' }, folder: { type: 'string' } } })
const mib = Number(flags.mib ?? 1024)
const repeats = Number(flags.repeats ?? 3)
const folder = mkdtempSync(join(flags.folder ?? tmpdir(), 'assay-scan-'))
const noise = Uint8Array.from({ length: 2 ** 20 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24)
const once = (what: 'scan' | 'read', path: string): Once =>
  JSON.parse(execFileSync(process.execPath, [process.env.BENCH_SCAN_ONCE as string, what, path], { encoding: 'utf8' }))

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

function onnx(): string {
  const bytes = mib * 2 ** 20
  const raw = message([9, new Uint8Array(0)]).slice(0, 1)
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))])
  const tensor = Uint8Array.from([...message([1, 4], [2, 1]), ...raw, ...varint(bytes)])
  const graph = Uint8Array.from([...message([1, message([4, 'Relu'])]), 5 * 8 + 2, ...varint(tensor.length + bytes), ...tensor])
  return write('model.onnx', Uint8Array.from([...message([1, 8]), 7 * 8 + 2, ...varint(graph.length + bytes), ...graph]), new Uint8Array(0))
}

try {
  const header = makeSafetensors({ w: { dtype: 'U8', shape: [mib * 2 ** 20], data_offsets: [0, mib * 2 ** 20] } })
  const files = [
    { path: write('model.safetensors', header, new Uint8Array(0)), reads: 'the header' },
    { path: torchArchive(), reads: 'the directory, the headers, data.pkl and the first bytes of the tensor' },
    { path: joblib(), reads: 'the opcodes around the array' },
    { path: onnx(), reads: 'the graph around the tensor' },
    { path: write('model.h5', latin1('\x89HDF\r\n\x1a\n'), new Uint8Array(0)), reads: 'every byte, for text' },
    { path: write('model.bin', latin1('\xee\xee'), new Uint8Array(0)), reads: 'every byte, for pickles' },
  ]
  console.log(`${describeMachine()}\n${mib} MiB a file, best of ${repeats}, from the page cache; reading is by blocks of 1 MiB\n`)
  for (const { path, reads } of files) {
    const rows = Array.from({ length: repeats }, () => ({ read: once('read', path), scan: once('scan', path) }))
    const best = (key: 'read' | 'scan', of: 'elapsedMs' | 'cpuMs') => Math.min(...rows.map((row) => row[key][of]))
    const memory = Math.max(...rows.map(({ scan }) => scan.maxRssMiB))
    const ratio = (of: 'elapsedMs' | 'cpuMs') => `${((100 * best('read', of)) / best('scan', of)).toFixed(0)} %`
    console.log(
      `${path.split('/').pop()?.padEnd(18)} ${rows[0]?.scan.verdict.padEnd(13)} speed ${ratio('elapsedMs').padStart(7)} of reading, by CPU time ${ratio('cpuMs').padStart(7)}; ${memory.toFixed(0)} MiB; reads ${reads}`,
    )
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
  const { verdict, elapsedMs, cpuMs, maxRssMiB } = once('scan', repository)
  console.log(
    `\na repository of 7 GiB in 7 shards: ${verdict} in ${elapsedMs.toFixed(0)} ms (${cpuMs.toFixed(0)} ms of CPU), ${maxRssMiB.toFixed(0)} MiB of memory at most`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
