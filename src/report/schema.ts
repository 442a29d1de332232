import * as z from 'zod/mini'

/** What a whole audit can come to. */
export const reportVerdicts = ['clean', 'suspicious', 'poisoned', 'inconclusive'] as const
/** What a class can come to. */
export const classVerdicts = ['clean', 'multimodal', 'suspicious', 'poisoned', 'inconclusive'] as const

const text = (says: string) => z.string().check(z.describe(says))
const number = (says: string) => z.number().check(z.describe(says))
const count = (says: string) => z.int().check(z.gte(0), z.describe(says))
const share = (says: string) => z.number().check(z.gte(0), z.lte(1), z.describe(says))
const milliseconds = (says: string) => z.number().check(z.gte(0), z.describe(says))
const label = (says: string) => z.union([z.number(), z.string()]).check(z.describe(says))

const evidence = z.strictObject({
  detector: text('Id of the detector that says this.'),
  statistic: number('The number the detector decides by; higher speaks for poison.'),
  pValue: z
    .nullable(share('Probability of a statistic this high in a clean class.'))
    .check(z.describe('Null where the detector has no calibrated null distribution.')),
  threshold: z
    .nullable(number('What the statistic is held against.'))
    .check(z.describe('Null where the detector has no decision rule of its own.')),
  says: text('The finding in words.'),
})

const classReport = z.strictObject({
  label: label("The class's label as it was given: a whole number or a string."),
  name: text("The class's name for people, the label itself where none was given. Comes from the input: escape it before showing it."),
  rows: count('Rows that bear this label.'),
  verdict: z.enum(classVerdicts).check(z.describe('`inconclusive` is not `clean`: the class was not examined, or could not be cleared.')),
  pValue: z.nullable(share('Probability that a clean class looks like this.')).check(z.describe('Null where no calibrated test was made.')),
  epsilon: z
    .nullable(
      z.strictObject({
        estimate: share('Estimated share.'),
        low: share('Lower end of its interval.'),
        high: share('Upper end of its interval.'),
      }),
    )
    .check(z.describe('Poisoned rows / all rows bearing the label; null where it was not estimated.')),
  minDetectableEpsilon: z
    .nullable(share('A share.'))
    .check(z.describe('The smallest epsilon that would have been seen in this class; null where it is not known.')),
  sourceLabel: z
    .nullable(label('A label.'))
    .check(z.describe('The class that the suspected rows seem to have been taken from; null where it is not known.')),
  evidence: z.array(evidence).check(z.describe('One entry for each detector that ran on this class; empty: none did.')),
})

const rows = z
  .strictObject({
    flagged: z
      .array(z.int().check(z.gte(0)))
      .check(z.describe('Indices of the suspected rows in the input, each once, most suspicious first.')),
    reasons: z
      .array(z.array(z.string()))
      .check(
        z.describe('Parallel to `flagged`: why, one sentence for each detector that accuses the row, with its id and a colon in front.'),
      ),
    probability: z
      .nullable(z.array(share('A probability.')))
      .check(z.describe('Parallel to `flagged`: probability that the row is poison; null where it was not estimated.')),
  })
  .check(
    z.describe('The suspected rows.'),
    z.refine(
      ({ flagged, reasons, probability }) =>
        reasons.length === flagged.length &&
        (probability === null || probability.length === flagged.length) &&
        new Set(flagged).size === flagged.length,
      'rows: expected flagged to be unique, and reasons and probability to be as long as flagged',
    ),
  )

/** The report of an audit. The JSON file is this very object. */
export const reportSchema = z
  .strictObject({
    schemaVersion: z.literal(1).check(z.describe('Version of this format.')),
    tool: z.strictObject({ name: text('Name of the program.'), version: text('Its version.') }).check(z.describe('What wrote the report.')),
    input: z
      .strictObject({
        rows: count('Rows (samples) audited.'),
        features: count('Activations per row.'),
        classes: count('Distinct labels.'),
        digest: text(
          'SHA-256, hex: over the digests of `files` as OpenSSF Model Signing computes a root; for arrays in memory, over their little-endian bytes with dtype and shape.',
        ),
        files: z
          .array(z.strictObject({ name: text('Name of the file within the input.'), sha256: text('SHA-256 of its bytes, hex.') }))
          .check(z.describe('The files that were read; empty for arrays in memory.')),
      })
      .check(z.describe('What was audited.')),
    backend: z
      .strictObject({
        name: z.enum(['cpu', 'webgpu']).check(z.describe('Where the kernels ran.')),
        adapter: text('The GPU adapter or the CPU path.'),
        reason: text('Why this backend was taken.'),
      })
      .check(z.describe('Where it was computed.')),
    seed: number('Seed of all random numbers.'),
    options: z
      .record(z.string(), z.unknown())
      .check(z.describe('The options in effect that can change a result, defaults included. Not threads, memory, paths or output flags.')),
    verdict: z
      .enum(reportVerdicts)
      .check(
        z.describe(
          '`poisoned` if any class is; else `suspicious` if any is; else `inconclusive` if undecided classes hold more than 5 % of the rows, or every detector was skipped, or one failed; else `clean`.',
        ),
      ),
    classes: z.array(classReport).check(z.describe('Every class, sorted by label: numbers by value, then strings.')),
    rows,
    detectors: z
      .array(
        z.strictObject({
          id: text('Id of the detector.'),
          status: z.enum(['ran', 'skipped', 'failed']).check(z.describe('`skipped`: it had nothing it could answer. `failed`: it broke.')),
          reason: text('Why it was skipped or failed; for one that ran, on how many classes, and which it skipped and why.'),
        }),
      )
      .check(z.describe('Every detector that was asked for, in the order they ran.')),
    timings: z
      .strictObject({
        readMs: milliseconds('Reading the input from files.'),
        computeMs: milliseconds('All detectors together, and what they read again.'),
        detectors: z
          .record(z.string(), milliseconds('Milliseconds.'))
          .check(
            z.describe(
              'Each detector, by id, while it had work in hand. Those that share passes work at the same time: together they may take longer than all.',
            ),
          ),
      })
      .check(z.describe('Wall-clock times in milliseconds. With `backend.reason`, the only part that differs between two equal runs.')),
  })
  .check(
    z.meta({ title: 'Assay report', description: 'Whether a set of activations and labels shows signs of data poisoning, and where.' }),
  )

export type Report = z.infer<typeof reportSchema>
export type ReportVerdict = Report['verdict']
export type ClassReport = Report['classes'][number]
export type ClassVerdict = ClassReport['verdict']

/** The report's format as a JSON Schema (draft 2020-12), for readers in other languages. */
export function reportJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(reportSchema) as Record<string, unknown>
}
