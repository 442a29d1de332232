import type { ByteSource } from '../io/byte-source.js'
import { subSource } from '../io/byte-window.js'
import { chunkedSource } from './chunked-source.js'
import type { FileScan } from './file-scan.js'
import { unpack } from './unpack.js'
import type { PackedRange } from './unpacked.js'

/** What one member may unpack to, and all of a file together. */
export const maxUnpackedBytes = 2 ** 27
export const maxUnpackedInAll = 2 ** 29
/** No honest model is packed to less than this share. */
const bombRatio = 200
const bombSample = 2 ** 20
/** Of what is small, the ratio says nothing. */
const leastLimit = 2 ** 24

/**
 * Unpacks a stretch of a source, within what is left of the budget, and hands it on under `name`; also what comes in front of damage,
 * since that is what a loader reads too. Returns what was unpacked; null where that is not all.
 */
export async function scanPacked(
  source: ByteSource,
  range: PackedRange,
  name: string,
  scan: FileScan,
): Promise<readonly Uint8Array[] | null> {
  const packedBytes = range.end - range.start
  const limit = Math.min(maxUnpackedBytes, scan.budget.bytes, Math.max(leastLimit, bombRatio * packedBytes + 1))
  const { chunks, byteLength, problem } = await unpack(source, range, limit, scan)
  scan.budget.bytes -= byteLength
  const isBomb = problem === 'too-large' && byteLength >= bombRatio * packedBytes
  if (problem === 'too-large') {
    const says = `${packedBytes} bytes unpack to more than ${limit}`
    scan.findings.add(isBomb ? 'archive-bomb' : 'too-large', name, null, isBomb ? `${says}, more than ${bombRatio} : 1` : says)
  } else if (problem === 'damaged') {
    scan.findings.add('archive-broken', name, null, `its compressed data is damaged, or cut off, after ${byteLength} bytes`)
  }
  // what is in a bomb adds nothing to the finding
  const unpacked = chunkedSource(name, chunks)
  await scan.inside(isBomb ? subSource(unpacked, name, 0, Math.min(bombSample, byteLength)) : unpacked)
  return problem === null ? chunks : null
}
