import { InputError } from '../core/errors.js'
import { type ByteSource, readHead } from './byte-source.js'

/** What a file is by its first bytes. */
export type Format = 'npy' | 'zip' | 'json' | 'safetensors' | 'parquet' | 'hdf5' | 'arrow' | 'gzip' | 'pickle' | 'empty' | 'unknown'

/** Formats that are recognised, so that a message can name them. */
const titles: Readonly<Record<Format, string>> = {
  npy: 'a .npy file',
  zip: 'a .npz or other zip archive',
  json: 'JSON',
  safetensors: 'a safetensors file',
  parquet: 'a Parquet file',
  hdf5: 'an HDF5 file, which is not read',
  arrow: 'an Arrow file, which is not read',
  gzip: 'a gzip file, which has to be unpacked first',
  pickle: 'a Python pickle, which is never read: unpickling runs code from the file',
  empty: 'empty',
  unknown: 'of no format known here',
}

const magics: readonly (readonly [Format, readonly number[]])[] = [
  ['npy', [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]],
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
  ['zip', [0x50, 0x4b, 0x05, 0x06]], // without members
  ['parquet', [0x50, 0x41, 0x52, 0x31]],
  ['hdf5', [0x89, 0x48, 0x44, 0x46]],
  ['arrow', [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31]],
  ['gzip', [0x1f, 0x8b]],
]

/** Recognises a file by its first bytes; its name says nothing. */
export async function sniffFormat(source: ByteSource): Promise<Format> {
  const head = await readHead(source, Math.min(64, source.byteLength))
  if (head.length === 0) return 'empty'
  const known = magics.find(([, magic]) => magic.every((byte, index) => head[index] === byte))
  if (known) return known[0]
  // a length of 64 bits that is no text, whether it is true or not, and a brace
  if (head[8] === 0x7b && head.subarray(0, 8).some((byte) => byte < 0x09 || byte >= 0x80)) return 'safetensors'
  if (head[0] === 0x80 && (head[1] as number) >= 2 && (head[1] as number) <= 5) return 'pickle'
  const first = head.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
  return first === 0x7b || first === 0x5b ? 'json' : 'unknown'
}

/** An `InputError` `unsupported-format` that says what the file is and what is read in its place. */
export function refuseFormat(format: Format, where: string, expected: string): InputError {
  return new InputError('unsupported-format', `${where}: is ${titles[format]}, expected ${expected}; convert it first`, { format })
}
