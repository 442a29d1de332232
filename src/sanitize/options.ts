import * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import { describeOptionProblems } from '../core/option-problems.js'

export interface SanitizeOptions {
  /** What to take out: the rows that the report flags (`flagged`, default), or all rows of the classes that it accuses (`class`). */
  readonly remove?: 'flagged' | 'class' | undefined
  /**
   * Flagged rows stay, and bear the label of the class that they seem to have been taken from; those of classes for which the report names
   * none are taken out. Not together with `remove`. Default false.
   */
  readonly relabel?: boolean | undefined
  /** Aborts the work; what was thrown is `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

export interface ParsedSanitizeOptions {
  readonly remove: 'flagged' | 'class'
  readonly relabel: boolean
  readonly signal: AbortSignal | undefined
}

const schema = z.strictObject({
  remove: z.optional(z.enum(['flagged', 'class'])),
  relabel: z._default(z.optional(z.boolean()), false),
  signal: z.optional(z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal')),
})

/** Throws one `OptionError` that names every bad field. */
export function parseSanitizeOptions(options: SanitizeOptions): ParsedSanitizeOptions {
  const parsed = schema.safeParse(options)
  if (!parsed.success) {
    throw new OptionError('bad-option', describeOptionProblems('sanitize', parsed.error.issues, options), { issues: parsed.error.issues })
  }
  const { remove, relabel, signal } = parsed.data
  if (relabel && remove !== undefined) {
    throw new OptionError('bad-option', `sanitize: got both remove and relabel, expected one of them; relabel keeps what remove takes out`)
  }
  return { remove: remove ?? 'flagged', relabel, signal }
}
