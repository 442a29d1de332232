import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { readBytes } from '../io/byte-source.js'
import { openFile } from '../io/node-file-source.js'
import type { Report } from '../report/schema.js'
import { parseReport } from './check-report.js'

/** A reason of 40 characters for each of ten million rows. */
const maxReportBytes = 480 * 2 ** 20

/**
 * A report that `assay audit --json` wrote, and its bytes. Throws `InputError` `too-large`, `bad-json`, `bad-report`, and where there is no
 * such file.
 */
export async function readReport(path: string): Promise<{ readonly report: Report; readonly bytes: Uint8Array }> {
  const where = showText(path, 300)
  const file = await openFile(path)
  try {
    if (file.byteLength > maxReportBytes) {
      throw new InputError('too-large', `${where}: has ${file.byteLength} bytes, expected a report of at most ${maxReportBytes}`)
    }
    const bytes = await readBytes(file, 0, file.byteLength, where)
    return { report: parseReport(parseJson(bytes, where), where), bytes }
  } finally {
    await file.close()
  }
}

function parseJson(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    const message = `${where}: is not valid JSON in UTF-8, expected a report; write it with assay audit --json`
    throw new InputError('bad-json', message, {}, cause)
  }
}
