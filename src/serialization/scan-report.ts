import * as z from 'zod/mini'
import { reportVerdicts } from '../report/schema.js'

/**
 * What a finding weighs. `dangerous`: runs code or leaves its folder when it is loaded. `suspicious`: nothing that honest files need.
 * `undecided`: could not be read, or is code that was not judged; never clean. `note`: nothing against the file.
 */
export const severities = ['dangerous', 'suspicious', 'undecided', 'note'] as const
export type Severity = (typeof severities)[number]

const text = (says: string) => z.string().check(z.describe(says))

const finding = z.strictObject({
  id: text('What kind of finding; docs/scan.md lists them all.'),
  severity: z.enum(severities).check(z.describe('`dangerous`, `suspicious` and `undecided` decide the verdict; `note` does not.')),
  path: text(
    'The file within what was scanned, and `!/` before a member of an archive. Comes from the input: escape it before showing it.',
  ),
  offset: z
    .nullable(z.int().check(z.gte(0)))
    .check(z.describe('Byte at which it is in that file or, unpacked, in that member; null where it is not in one place.')),
  says: text('The finding in words. May quote the input, with control characters escaped.'),
  fix: text('What to do about it.'),
})

const classResult = z.strictObject({
  label: z.union([z.int(), z.string()]).check(z.describe('The class: its index, or its label in the data.')),
  pValue: z
    .nullable(z.number().check(z.gte(0), z.lte(1)))
    .check(z.describe('Probability that a clean class looks like this; null where no calibrated test was made.')),
})

/** The report of a scan. The JSON file is this very object. */
export const scanReportSchema = z
  .strictObject({
    schemaVersion: z.literal(1).check(z.describe('Version of this format.')),
    verdict: z
      .enum(reportVerdicts)
      .check(
        z.describe(
          '`poisoned` if any finding is dangerous; else `suspicious` if any is; else `inconclusive` if any is undecided; else `clean`.',
        ),
      ),
    score: z.number().check(z.gte(0), z.lte(1), z.describe('How suspicious the whole is, 0 to 1; higher is more suspicious.')),
    target: z
      .nullable(z.int().check(z.gte(0)))
      .check(
        z.describe(
          'Index of the class that a backdoor most likely leads to, whatever the verdict; null only where no model with classes was examined.',
        ),
      ),
    classes: z.array(classResult).check(z.describe('The classes of the model or data examined; empty where there are none.')),
    findings: z.array(finding).check(z.describe('All findings, the gravest first, then by path and offset.')),
  })
  .check(
    z.meta({
      title: 'Assay scan report',
      description: 'Whether model files run code when they are loaded, hide what they hold, or carry a backdoor.',
    }),
  )

export type ScanReport = z.infer<typeof scanReportSchema>
export type ScanFinding = ScanReport['findings'][number]
export type ScanClass = ScanReport['classes'][number]

/** What the search for a backdoor in one model (its weights and behaviour) or one data set came to. */
export interface ModelExamination {
  /** How suspicious, 0 to 1; higher is more suspicious. */
  readonly score: number
  /** Index of the class that a backdoor most likely leads to, whatever the verdict; null only where there are no classes. */
  readonly target: number | null
  readonly classes: readonly ScanClass[]
  readonly findings: readonly ScanFinding[]
}

/** The report's format as a JSON Schema (draft 2020-12), for readers in other languages. */
export function scanReportJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(scanReportSchema) as Record<string, unknown>
}
