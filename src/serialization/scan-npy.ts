import type { ByteSource } from '../io/byte-source.js'
import { readShort, subSource } from '../io/byte-window.js'
import type { FileScan } from './file-scan.js'
import { scanForPickles, scanPickle } from './scan-pickle.js'

export const npyMagic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]
const maxHeaderBytes = 2 ** 20

/** Scans a NumPy array file: the items of an array of objects are one pickle behind the header, the rest is numbers. */
export async function scanNpy(source: ByteSource, scan: FileScan): Promise<void> {
  const header = await readHeader(source)
  if (header === null) {
    scan.findings.add('numpy-malformed', source.name, 0, 'the header of the array is not the dictionary that NumPy writes')
    await scanForPickles(source, { start: 0, end: source.byteLength }, scan)
  } else if (header.objects) {
    scan.findings.add('numpy-objects', source.name, 0, 'the array holds objects, which are pickled')
    await scanPickle(subSource(source, source.name, header.dataStart, source.byteLength), scan, { expected: true })
  }
}

/** Whether a file, or its beginning, is an array of numbers. */
export async function isNumericNpy(source: ByteSource): Promise<boolean> {
  return (await readHeader(source))?.objects === false
}

/** Null where it is not the header of an array. */
async function readHeader(source: ByteSource): Promise<{ readonly dataStart: number; readonly objects: boolean } | null> {
  const head = await readShort(source, 0, 12)
  if (head.length < 12) return null
  const record = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const [major, lengthBytes] = [head[6] ?? 0, head[6] === 1 ? 2 : 4]
  const length = lengthBytes === 2 ? record.getUint16(8, true) : record.getUint32(8, true)
  const dataStart = 8 + lengthBytes + length
  if (major < 1 || major > 3 || length > maxHeaderBytes || dataStart > source.byteLength) return null
  const text = new TextDecoder('latin1').decode(await readShort(source, 8 + lengthBytes, dataStart))
  return isHeader(text) ? { dataStart, objects: /'[|<>=]?O\d*'/.test(text) } : null
}

/** A Python dictionary of the three entries, made of literals and nothing else. */
function isHeader(text: string): boolean {
  const bare = text.replace(/'[^'\\]*'/g, "''")
  return (
    /^\s*\{[\s'":,()[\]\dLTrueFals-]*\}\s*$/.test(bare) && ['descr', 'fortran_order', 'shape'].every((key) => text.includes(`'${key}'`))
  )
}
