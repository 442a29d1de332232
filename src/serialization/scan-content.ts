import type { ByteSource } from '../io/byte-source.js'
import { readShort } from '../io/byte-window.js'
import {
  beginsWith,
  isMedia,
  isPickleName,
  isProgram,
  isProgramName,
  isText,
  isTextName,
  type PackedKind,
  packedKind,
} from './file-kind.js'
import type { FileScan } from './file-scan.js'
import { ggufMagic, scanGguf } from './scan-gguf.js'
import { hdf5Magic, scanEmbeddedKeras } from './scan-hdf5.js'
import { scanJson } from './scan-json.js'
import { npyMagic, scanNpy } from './scan-npy.js'
import { scanOnnx } from './scan-onnx.js'
import { scanPacked } from './scan-packed.js'
import { scanForPickles, scanPickle } from './scan-pickle.js'
import { scanSafetensors } from './scan-safetensors.js'
import { isTarHeader, scanTar } from './scan-tar.js'
import { scanTensorFlow } from './scan-tensorflow.js'
import { scanText } from './scan-text.js'
import { scanZip } from './scan-zip.js'
import { canUnpack, unpack } from './unpack.js'
import { findZipEnd, listZip } from './zip-walk.js'

/** What a file turned out to be; the first four and `pickle` may hold the weights of a model. */
export type ContentKind =
  | 'onnx'
  | 'safetensors'
  | 'gguf'
  | 'keras'
  | 'tensorflow'
  | 'pickle'
  | 'archive'
  | 'array'
  | 'text'
  | 'program'
  | 'other'

const maxDepth = 6
const headBytes = 4096
const zipMagic = [0x50, 0x4b, 3, 4]

/**
 * Scans a file by its content, and by its name where loaders go by that: as everything that a loader might take it for, since one file can
 * be several things. What it holds is scanned in the same way.
 */
export async function scanContent(source: ByteSource, scan: FileScan): Promise<ContentKind> {
  scan.signal?.throwIfAborted()
  if (source.byteLength === 0) return 'other'
  if (scan.depth > maxDepth) {
    scan.findings.add('too-large', source.name, null, `it lies in archives more than ${maxDepth} deep`)
    return 'other'
  }
  const head = await readShort(source, 0, headBytes)
  const kind = (await scanAsZip(source, head, scan)) ?? (await scanByMagic(source, head, scan))
  if (kind) {
    // the first bytes of most of them are opcodes too
    await scanPickle(source, scan, { expected: false, besides: true })
    return kind
  }
  if (isPickleName(source.name) && !isMedia(head)) {
    await scanPickle(source, scan, { expected: true })
    return 'pickle'
  }
  return scanByName(source, head, scan)
}

/** As a zip archive, which is found from its end. Null where it is (also) something else. */
async function scanAsZip(source: ByteSource, head: Uint8Array, scan: FileScan): Promise<ContentKind | null> {
  const end = await findZipEnd(source)
  if (beginsWith(head, zipMagic) || beginsWith(head, [0x50, 0x4b, 5, 6])) {
    if (end >= 0) await scanZip(source, end, scan)
    else {
      scan.findings.add('archive-broken', source.name, null, 'it begins like a zip archive, and has no end record')
      await scanForPickles(source, { start: 0, end: source.byteLength }, scan)
    }
    return /\.keras$/i.test(source.name) ? 'keras' : isPickleName(source.name) || /\.bin$/i.test(source.name) ? 'pickle' : 'archive'
  }
  if (end < 0) return null
  // behind something else: what has the four bytes by chance lists nothing
  const { members, problem } = await listZip(source, end)
  if (problem === null && members.some(({ local }) => local !== null)) await scanZip(source, end, scan)
  return null
}

async function scanByMagic(source: ByteSource, head: Uint8Array, scan: FileScan): Promise<ContentKind | null> {
  const { name } = source
  if (/\.safetensors$/i.test(name)) {
    await scanSafetensors(source, scan)
    return 'safetensors'
  }
  if (beginsWith(head, npyMagic)) {
    await scanNpy(source, scan)
    return 'array'
  }
  if (beginsWith(head, ggufMagic)) {
    await scanGguf(source, scan)
    return 'gguf'
  }
  // behind a block of the user, whose size is a power of two
  const isHdf5 = [0, 512, 1024, 2048].some((at) => beginsWith(head, hdf5Magic, at))
  if (isHdf5 || /\.(?:h5|hdf5)$/i.test(name)) {
    if (!isHdf5) scan.findings.add('keras-malformed', name, 0, 'it is named like an HDF5 file, and does not begin like one')
    await scanEmbeddedKeras(source, scan)
    return 'keras'
  }
  if (isTarHeader(head.subarray(0, 512))) {
    await scanTar(source, scan)
    return isPickleName(name) ? 'pickle' : 'archive'
  }
  const packed = packedKind(head)
  if (packed && (await scanPackedFile(source, packed, scan))) return 'archive'
  if (isProgram(head) || isProgramName(name)) {
    scan.findings.add('python-code', name, null, 'it is a program')
    return 'program'
  }
  return null
}

/** Whether it is what it begins like. */
async function scanPackedFile(source: ByteSource, kind: PackedKind, scan: FileScan): Promise<boolean> {
  const { findings } = scan
  const { byteLength, name } = source
  if (kind === '7z' || kind === 'rar' || kind === 'cab') {
    findings.add('archive-foreign', name, 0, `it is a ${kind} archive`)
    return true
  }
  const formats = { gzip: 'gzip', zlib: 'zlib', 'joblib-zlib': 'zlib', lz4: 'lz4', zstd: 'zstd' } as const
  const format = kind in formats ? formats[kind as keyof typeof formats] : null
  if (format === null || !canUnpack(format, scan)) {
    findings.add('archive-unread', name, 0, `it is compressed by ${kind}`)
    return true
  }
  // "ZF", then a length of up to nineteen hexadecimal digits in as many places
  const start = kind === 'joblib-zlib' ? 21 : 0
  if (kind === 'zlib') {
    // two bytes are a weak sign: something has to come out
    const unpacked = await unpack(source, { start, end: byteLength, format }, 1, scan)
    if (unpacked.byteLength === 0) return false
  }
  await scanPacked(source, { start, end: byteLength, format }, `${name}!/unpacked`, scan)
  return true
}

async function scanByName(source: ByteSource, head: Uint8Array, scan: FileScan): Promise<ContentKind> {
  const { name, byteLength } = source
  if (/\.onnx$/i.test(name)) {
    await scanOnnx(source, scan, { expected: true })
    await scanPickle(source, scan, { expected: false })
    return 'onnx'
  }
  if (/\.pb$/i.test(name)) {
    await scanTensorFlow(source, scan, { expected: !/metadata|fingerprint/i.test(name) })
    await scanEmbeddedKeras(source, scan)
    return 'tensorflow'
  }
  if (await scanPickle(source, scan, { expected: false })) return 'pickle'
  if (isMedia(head)) {
    if (isPickleName(name))
      scan.findings.add('unknown-content', name, 0, 'it is named like a pickle, and begins like a picture or a document')
    await scanForPickles(source, { start: 0, end: byteLength }, scan)
    return 'other'
  }
  const text = isText(head, { whole: byteLength <= head.length })
  if (text && isJson(name, head)) await scanJson(source, scan)
  else if (text) await scanText(source, scan)
  else if (await scanOnnx(source, scan, { expected: false })) return 'onnx'
  else if (await scanTensorFlow(source, scan, { expected: false })) return 'tensorflow'
  await scanForPickles(source, { start: 0, end: byteLength }, scan)
  if (text) return 'text'
  // the tensors of a checkpoint of TensorFlow, which nothing but its own reader opens
  if (!tensorFlowVariables.test(name)) scan.findings.add('unknown-content', name, 0, 'it is of no kind that is known here')
  return 'other'
}

const tensorFlowVariables = /(?:^|\/)[^/]*\.(?:data-\d{5}-of-\d{5}|index)$/

function isJson(name: string, head: Uint8Array): boolean {
  // a template begins with {{ or {%
  return /\.json$/i.test(name) || (head[0] === 0x7b && head[1] !== 0x7b && head[1] !== 0x25 && !isTextName(name))
}

/** The scan of one file from outside any archive. */
export function startScan(options: Pick<FileScan, 'findings' | 'signal' | 'native' | 'beside' | 'budget'>): FileScan {
  const at = (depth: number): FileScan => ({
    ...options,
    depth,
    beside: depth === 0 ? options.beside : null,
    inside: async (source) => {
      await scanContent(source, at(depth + 1))
    },
  })
  return at(0)
}
