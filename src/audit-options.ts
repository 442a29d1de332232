import * as z from 'zod/mini'
import type { Progress } from './core/backend.js'
import { OptionError } from './core/errors.js'
import { describeOptionProblems } from './core/option-problems.js'
import type { Witness } from './core/witness.js'

/** Where to compute. */
export interface ContextOptions {
  /** `auto` (default) takes a real GPU, else the CPU; a backend asked for by name is never replaced. */
  readonly backend?: 'auto' | 'webgpu' | 'cpu' | undefined
  /** Lets `auto` take a software adapter: for tests. Default false. */
  readonly softwareAdapters?: boolean | undefined
  /** Threads of the CPU path; no result depends on it. Default: as many as the machine runs at a time; 1 where memory cannot be shared. */
  readonly threads?: number | undefined
  /**
   * Bytes that the activations may take in memory, at least 1 MiB; a larger set is read block by block, again at every pass. Default: a
   * quarter of the machine's memory, at most 4 GiB. What is computed is the same but for rounding.
   */
  readonly memory?: number | undefined
  /** Any whole number; the same seed gives the same result. Default 0. */
  readonly seed?: number | undefined
  /** Aborts the work; what was thrown is `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

export interface AuditOptions extends ContextOptions {
  /** Family-wise: the probability that the audit of a clean set calls any class suspicious or poisoned. Default 0.01. (In effect once verdicts are calibrated.) */
  readonly falseAccusationRate?: number | undefined
  /** Ids of the detectors to run; default all. */
  readonly detectors?: readonly string[] | undefined
  /** Options by detector id. */
  readonly detectorOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined
  /** The model that was trained on the set, to be asked about classes that are suspected (`modelWitness` of `assay/model`). Without it nothing is asked. */
  readonly witness?: Witness | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

const isObject = (value: unknown) => value !== null && typeof value === 'object' && !Array.isArray(value)

/** Few of zod's types, and checks of our own besides: each type is a good part of what a page loads of it. */
const checked = <T>(is: (value: unknown) => boolean, what: string) => z.custom<T>(is, `expected ${what}`)

const contextFields = {
  backend: z._default(z.enum(['auto', 'webgpu', 'cpu']), 'auto'),
  softwareAdapters: z._default(
    checked<boolean>((value) => typeof value === 'boolean', 'true or false'),
    false,
  ),
  threads: z.optional(z.int().check(z.gte(1), z.lte(1024))),
  memory: z.optional(z.int().check(z.gte(2 ** 20))),
  seed: z._default(z.int(), 0),
  signal: z.optional(checked<AbortSignal>((value) => value instanceof AbortSignal, 'an AbortSignal')),
}

const contextSchema = z.strictObject(contextFields)

const auditSchema = z.strictObject({
  ...contextFields,
  falseAccusationRate: z._default(z.number().check(z.gt(0), z.lt(1)), 0.01),
  detectors: z.optional(
    checked<readonly string[]>((value) => Array.isArray(value) && value.every((id) => typeof id === 'string'), 'a list of ids'),
  ),
  detectorOptions: z._default(
    checked<NonNullable<AuditOptions['detectorOptions']>>(
      (value) => isObject(value) && Object.values(value as object).every(isObject),
      'an object of options for each detector id',
    ),
    {},
  ),
  witness: z.optional(checked<Witness>((value) => isObject(value) && typeof (value as Witness).ask === 'function', 'a witness')),
  onProgress: z.optional(checked<NonNullable<AuditOptions['onProgress']>>((value) => typeof value === 'function', 'a function')),
})

export type ParsedContextOptions = z.infer<typeof contextSchema>
export type ParsedAuditOptions = z.infer<typeof auditSchema>

export const parseContextOptions = (options: ContextOptions): ParsedContextOptions => parse(contextSchema, options)
export const parseAuditOptions = (options: AuditOptions): ParsedAuditOptions => parse(auditSchema, options)

/** Throws one `OptionError` that names every bad field. */
function parse<T>(schema: z.ZodMiniType<T>, options: unknown): T {
  const parsed = schema.safeParse(options)
  if (parsed.success) return parsed.data
  throw new OptionError('bad-option', describeOptionProblems('options', parsed.error.issues, options), { issues: parsed.error.issues })
}
