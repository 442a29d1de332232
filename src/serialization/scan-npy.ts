import type { ByteSource } from '../io/byte-source.js'
import { readShort, subSource } from './byte-window.js'
import type { FileScan } from './file-scan.js'
import { scanForPickles, scanPickle } from './scan-pickle.js'

export const npyMagic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
const maxHeaderBytes = 2 ** 20

/** Scans a NumPy array file: the items of an array of objects are one pickle behind the header, the rest is numbers. */
export async function scanNpy(source: ByteSource, scan: FileScan): Promise<void> {
  const head = await readShort(source, 0, 12)
  const record = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const [major, lengthBytes] = [head[6] ?? 0, head[6] === 1 ? 2 : 4]
  const length = head.length < 12 ? 0 : lengthBytes === 2 ? record.getUint16(8, true) : record.getUint32(8, true)
  const dataStart = 8 + lengthBytes + length
  const text =
    length <= maxHeaderBytes
      ? new TextDecoder('latin1').decode(await readShort(source, 8 + lengthBytes, Math.min(dataStart, source.byteLength)))
      : ''
  if (major < 1 || major > 3 || dataStart > source.byteLength || !isHeader(text)) {
    scan.findings.add('numpy-malformed', source.name, 0, 'the header of the array is not the dictionary that NumPy writes')
    await scanForPickles(source, { start: 0, end: source.byteLength }, scan)
    return
  }
  if (!/'[|<>=]?O\d*'/.test(text)) return
  scan.findings.add('numpy-objects', source.name, 0, 'the array holds objects, which are pickled')
  await scanPickle(subSource(source, source.name, dataStart, source.byteLength), scan, { expected: true })
}

/** A Python dictionary of the three entries, made of literals and nothing else. */
function isHeader(text: string): boolean {
  const bare = text.replace(/'[^'\\]*'/g, "''")
  return (
    /^\s*\{[\s'":,()[\]\dLTrueFals-]*\}\s*$/.test(bare) && ['descr', 'fortran_order', 'shape'].every((key) => text.includes(`'${key}'`))
  )
}
