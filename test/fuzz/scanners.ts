import { InputError } from '../../src/core/errors.js'
import { memorySource } from '../../src/io/byte-source.js'
import { scanFile } from '../../src/serialization/node-scan-file.js'
import { scanReportSchema } from '../../src/serialization/scan-report.js'
import { soundFiles } from '../serialization/make-models.js'
import type { FuzzParser } from './parsers.js'

/** The scanners of model files: whatever a file holds, the report is one, and a file that is not called clean counts as refused. */
export function fuzzScanners(): FuzzParser[] {
  return soundFiles.map(([name, good]) => ({
    name: `scan ${name}`,
    good,
    read: async (bytes) => {
      const report = scanReportSchema.parse(await scanFile(memorySource(name, bytes)))
      if (report.verdict !== 'clean') throw new InputError('found', report.verdict)
    },
  }))
}
