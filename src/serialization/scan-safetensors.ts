import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from '../io/byte-source.js'
import { readSafetensorsHeader } from '../io/safetensors.js'
import type { FileScan } from './file-scan.js'

/** Bytes per item of the dtypes of the format (safetensors 0.6) that arrays of ours cannot have. */
const otherDtypes = new Map([
  ...Object.entries({ F4: 0.5, F6_E2M3: 0.75, F6_E3M2: 0.75, F8_E4M3: 1, F8_E4M3FNUZ: 1, F8_E5M2: 1, F8_E5M2FNUZ: 1, F8_E8M0: 1, C64: 8 }),
])

/** Scans a safetensors file: reads its header alone, and holds it against the length of the file to the byte. */
export async function scanSafetensors(source: ByteSource, scan: FileScan): Promise<void> {
  try {
    await readSafetensorsHeader(source, showText(source.name, 300), otherDtypes)
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const says = error.message.slice(0, 600)
    scan.findings.add(error.code === 'truncated' ? 'safetensors-truncated' : 'safetensors-malformed', source.name, 0, says)
  }
}
