import * as z from 'zod/mini'
import { classVerdicts, reportVerdicts } from '../report/schema.js'

/** `cleaned`: rows were removed or relabelled. `unchanged`: there was nothing to do. `undecided`: the report does not tell what to remove. */
export const sanitizeOutcomes = ['cleaned', 'unchanged', 'undecided'] as const

const text = (says: string) => z.string().check(z.describe(says))
const count = (says: string) => z.int().check(z.gte(0), z.describe(says))
const label = (says: string) => z.union([z.number(), z.string()]).check(z.describe(says))
const files = (says: string) =>
  z.array(z.strictObject({ name: text('Name of the file.'), sha256: text('SHA-256 of its bytes, hex.') })).check(z.describe(says))
const tool = (says: string) => z.strictObject({ name: text('Name of the program.'), version: text('Its version.') }).check(z.describe(says))
const row = count('Index of the row in the input.')
const reasons = z.array(z.string()).check(z.describe("Why: the report's sentences for a flagged row."))

/** What was removed from a data set, what was relabelled, and why. */
export const sanitizeRecordSchema = z
  .strictObject({
    schemaVersion: z.literal(1).check(z.describe('Version of this format.')),
    tool: tool('What wrote the record.'),
    input: z
      .strictObject({
        rows: count('Rows (samples) before.'),
        features: count('Activations per row.'),
        digest: text("The report's digest of the input, which is that of the data that was cleaned."),
        files: files('The files that were audited; empty for arrays in memory.'),
      })
      .check(z.describe('What was cleaned.')),
    report: z
      .strictObject({
        tool: tool('What wrote the report.'),
        seed: z.number().check(z.describe('Seed of the audit.')),
        verdict: z.enum(reportVerdicts).check(z.describe('Verdict of the audit.')),
      })
      .check(z.describe('The audit that it was cleaned by.')),
    options: z.strictObject({
      remove: z.enum(['flagged', 'class']).check(z.describe('Flagged rows, or all rows of accused classes.')),
      relabel: z.boolean().check(z.describe('Whether flagged rows got the label of their source class, where there is one.')),
    }),
    outcome: z
      .enum(sanitizeOutcomes)
      .check(
        z.describe(
          '`undecided` is not `unchanged`: the audit could not clear the set, or accuses a class and flags none of its rows, so no row was removed and no file written.',
        ),
      ),
    output: z
      .strictObject({
        rows: count('Rows after.'),
        digest: z
          .nullable(text('A digest.'))
          .check(z.describe('What an audit of the written data gives as its digest; null where no file was written.')),
        files: files('The files that were written, but for the record itself; empty where none was.'),
        leftOut: z
          .array(z.strictObject({ name: text('Name of the file or array.'), reason: text('Why.') }))
          .check(z.describe('What lay beside the data and was not written.')),
      })
      .check(z.describe('What was written.')),
    classes: z
      .array(
        z.strictObject({
          label: label("The class's label."),
          name: text("The class's name for people. Comes from the input: escape it before showing it."),
          verdict: z.enum(classVerdicts).check(z.describe("The report's verdict.")),
          rowsBefore: count('Rows that bore this label.'),
          removed: count('Of these, removed.'),
          relabelled: count('Of these, given another label.'),
          gained: count('Rows of other classes that were given this label.'),
          rowsAfter: count('Rows that bear this label now.'),
        }),
      )
      .check(z.describe('Every class of the input, in the order of the report.')),
    removed: z
      .array(z.strictObject({ row, label: label('The label it bore.'), reasons }))
      .check(z.describe('Every row that was removed, ascending.')),
    relabelled: z
      .array(z.strictObject({ row, from: label('The label it bore.'), to: label('The label it bears now.'), reasons }))
      .check(z.describe('Every row that was relabelled, ascending.')),
    undecided: z
      .array(
        z.strictObject({
          label: label("The class's label."),
          name: text('Its name for people.'),
          verdict: z.enum(classVerdicts).check(z.describe("The report's verdict.")),
          rows: count('Its rows: all of them were kept.'),
          flagged: count('Of these, flagged by the report.'),
        }),
      )
      .check(
        z.describe(
          'Classes that the audit could not decide, and accused ones of which it flags no row. They were kept as they are, which does not prove them clean.',
        ),
      ),
  })
  .check(z.meta({ title: 'Assay sanitize record', description: 'What was removed from a data set, what was relabelled, and why.' }))

export type SanitizeRecord = z.infer<typeof sanitizeRecordSchema>
