import * as z from 'zod/mini'
import { InputError } from '../core/errors.js'
import { type ReportVerdict, reportSchema, reportVerdicts } from '../report/schema.js'

/** What of a report of Assay's counts for a claim. */
export interface ReportFacts {
  readonly test: 'audit' | 'scan'
  readonly verdict: ReportVerdict
  /** The files that it is about, where it says that. */
  readonly files: readonly { readonly name: string; readonly sha256: string }[]
}

/** `assay scan --json`: what it says that an audit's report does not. */
const scanReport = z.looseObject({
  schemaVersion: z.literal(1),
  verdict: z.enum(reportVerdicts),
  score: z.number(),
  findings: z.array(z.unknown()),
})

/**
 * Reads the report of an audit or a scan; `null` where the bytes are another program's. Throws `InputError` `report-unbound` for an audit of
 * arrays in memory: nothing says which files they came from.
 */
export function readReport(bytes: Uint8Array): ReportFacts | null {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return null
  }
  const audit = reportSchema.safeParse(json)
  if (audit.success) {
    const { input, verdict } = audit.data
    if (input.files.length > 0) return { test: 'audit', verdict, files: input.files }
    throw new InputError('report-unbound', 'report: is of arrays in memory, which nothing ties to files; audit the folder instead')
  }
  const scan = scanReport.safeParse(json)
  return scan.success ? { test: 'scan', verdict: scan.data.verdict, files: [] } : null
}
