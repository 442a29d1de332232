import * as z from 'zod/mini'
import { reportVerdicts } from '../report/schema.js'

/**
 * What a finding weighs. `dangerous`: runs code or leaves its folder when it is loaded. `suspicious`: nothing that honest files need.
 * `undecided`: could not be read, or is code that was not judged; never clean. `note`: nothing against the file.
 */
export const severities = ['dangerous', 'suspicious', 'undecided', 'note'] as const
export type Severity = (typeof severities)[number]

const text = (says: string) => z.string().check(z.describe(says))

const whole = (says: string) => z.int().check(z.gte(0), z.describe(says))
const picture = (says: string) => z.string().check(z.regex(/^data:image\/png;base64,[A-Za-z0-9+/]+=*$/), z.describe(says))

const trigger = z.strictObject({
  target: whole('Index of the class that it leads to.'),
  kind: z.enum(['patch', 'change']).check(z.describe('Some pixels set to a value, or a small change of every pixel.')),
  box: z
    .nullable(
      z.strictObject({ row: whole('From the top.'), column: whole('From the left.'), height: whole('Rows.'), width: whole('Columns.') }),
    )
    .check(
      z.describe(
        "The smallest box around a picture's patch, in pixels of the network's input; null for a change and where inputs are no pictures.",
      ),
    ),
  pixels: z
    .nullable(
      z.array(
        z.strictObject({
          at: z
            .array(whole('Index.'))
            .check(z.describe('Channel, row and column; of inputs that are no pictures one index for each dimension.')),
          value: z.number().check(z.describe("In the network's own form.")),
        }),
      ),
    )
    .check(z.describe('The numbers of an input that a patch sets; null for a change.')),
  trial: z
    .strictObject({
      inputs: z
        .enum(['held-out', 'searched', 'prototypes'])
        .check(
          z.describe(
            'Tried on given inputs that the trigger was not made on, on those it was made on, or, without data, on inputs grown from noise that it was not made on.',
          ),
        ),
      tried: whole('Inputs that the network takes for another class without the trigger.'),
      sent: whole('How many of them it takes for the target with the trigger.'),
      sentByChance: z.number().check(z.gte(0), z.describe('How many on average with random values in the place of the trigger.')),
      example: z.nullable(whole('Index.')).check(z.describe('The one that is shown; null where none is sent.')),
    })
    .check(z.describe('How it worked.')),
  pictures: z
    .nullable(
      z.strictObject({
        clean: picture('An input that the trigger sends to its class.'),
        triggered: picture('The same with the trigger.'),
        trigger: picture('The trigger alone, on grey.'),
        cleanClass: whole('What the network takes that input for without the trigger.'),
      }),
    )
    .check(z.describe('PNG files of at most 96 pixels a side; null where inputs are no pictures.')),
})

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
  trigger: z
    .optional(trigger)
    .check(z.describe('Of a finding about a trigger that was recovered from a model: what it is, and how it worked.')),
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
export type ScanTrigger = NonNullable<ScanFinding['trigger']>
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
