import { memorySource } from '../../src/io/byte-source.js'
import { scanFile } from '../../src/serialization/node-scan-file.js'

/** The verdict on a file in memory, and the ids of what was found, notes left out. */
export async function scanBytes(name: string, bytes: Uint8Array) {
  const report = await scanFile(memorySource(name, bytes))
  const findings = report.findings.filter(({ severity }) => severity !== 'note')
  return { verdict: report.verdict, ids: [...new Set(findings.map(({ id }) => id))].sort(), findings, report }
}
