import type * as z from 'zod/mini'
import { type ActivationSetInput, toActivationSet } from '../core/activation-set.js'
import type { Context } from '../core/backend.js'
import { DeviceSet, type EarlyWork } from '../core/device-set.js'
import { AssayError, BackendError, OptionError } from '../core/errors.js'
import { describeOptionProblems } from '../core/option-problems.js'
import type { DetectorResult } from '../core/result.js'
import { showText } from '../core/untrusted-text.js'

/**
 * A detector: one async function over a set, with what people need to know of it. `options` holds defaults, ranges and help in one place;
 * `detect` gets parsed values.
 */
export interface Detector<Options> {
  readonly id: string
  readonly title: string
  readonly citation: string
  /** Arrays it cannot do without. */
  readonly needs: readonly ('activations' | 'labels' | 'predictions' | 'logits' | 'trusted')[]
  readonly options: z.ZodMiniType<Options>
  /** What it does with the first pass, where every pass reads the rows again: found while they are read for the first time. */
  readonly early?: EarlyWork
  /** Looks at every class of `set`. Classes it cannot judge are skipped with the reason. */
  detect(context: Context, set: DeviceSet, options: Options): Promise<DetectorResult>
}

/** Parses a detector's options; throws one `OptionError` that names every bad field. */
export function parseOptions<Options>({ id, options }: Detector<Options>, given: unknown): Options {
  const parsed = options.safeParse(given ?? {})
  if (parsed.success) return parsed.data
  throw new OptionError('bad-option', describeOptionProblems(id, parsed.error.issues, given), { detector: id, issues: parsed.error.issues })
}

/** The detector as a function of its own: `(context, set, options) → result`, outside an audit. */
export function alone<Options>(detector: Detector<Options>) {
  return async (context: Context, input: ActivationSetInput, options: Partial<Options> = {}): Promise<DetectorResult> => {
    const parsed = parseOptions(detector, options)
    using set = await DeviceSet.upload(context, toActivationSet(input, { unchecked: true }))
    return await detector.detect(context, set, parsed)
  }
}

/** What `detect` gives; a detector that breaks for a reason of its own is `failed`. An abort and a backend's failure are thrown. */
export async function detectOrFail(
  context: Context,
  set: DeviceSet,
  run: { detector: Detector<unknown>; options: unknown },
): Promise<DetectorResult> {
  const { detector, options } = run
  try {
    return await detector.detect(context, set, options)
  } catch (cause) {
    context.signal?.throwIfAborted()
    if (cause instanceof BackendError) throw cause
    const reason = cause instanceof AssayError ? cause.message : `internal fault: ${showText((cause as Error)?.message ?? cause, 300)}`
    return { status: 'failed', id: detector.id, reason, cause }
  }
}
