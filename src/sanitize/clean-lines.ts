import { gzipSync } from 'fflate'
import { allocateBytes, type ByteSource, readBytes } from '../io/byte-source.js'
import { sniffFormat } from '../io/format.js'
import { gunzip } from '../io/gunzip.js'

/** As much as an audit reads. */
const maxTextBytes = 256 * 2 ** 20

/** The lines `keep` (ascending) of a text, as they are written; gzip-compressed where the text is. Throws `InputError` as `gunzip` does. */
export async function cleanLines(source: ByteSource, keep: Uint32Array, where: string): Promise<Uint8Array> {
  if ((await sniffFormat(source)) !== 'gzip') return keepLines(await readBytes(source, 0, source.byteLength, where), keep, where)
  return gzipSync(keepLines(await gunzip(source, maxTextBytes, where), keep, where), { mtime: 0 })
}

function keepLines(bytes: Uint8Array, keep: Uint32Array, where: string): Uint8Array {
  const out = allocateBytes(bytes.length, where)
  let filled = 0
  let line = 0
  let kept = 0
  for (let start = 0; start < bytes.length && kept < keep.length; line++) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline + 1
    if (keep[kept] === line) {
      out.set(bytes.subarray(start, end), filled)
      filled += end - start
      kept++
    }
    start = end
  }
  return out.subarray(0, filled)
}
