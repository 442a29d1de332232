import type { ByteSource } from '../io/byte-source.js'
import { nodeCodecs } from './node-native-codecs.js'
import { type ScanOptions, scanAlone } from './scan-file.js'
import type { ScanReport } from './scan-report.js'

/** As `scanFile` for browsers does, with Node's own zlib. */
export function scanFile(source: ByteSource, options: ScanOptions = {}): Promise<ScanReport> {
  return scanAlone({ source, path: null, beside: null, native: nodeCodecs }, options)
}
