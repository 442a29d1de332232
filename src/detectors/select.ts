import { OptionError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import { type Detector, parseOptions } from './detector.js'

export interface Selected {
  readonly detector: Detector<unknown>
  /** Parsed. */
  readonly options: unknown
}

/** Options by detector id. */
export type DetectorOptions = Readonly<Record<string, Readonly<Record<string, unknown>>>>

export interface Selection {
  /** Ids; all detectors where it is undefined. */
  readonly wanted: readonly string[] | undefined
  readonly given: DetectorOptions
  /** What a detector is given where `given` says nothing, in place of its own defaults. */
  readonly defaults?: DetectorOptions
}

/** The detectors of `registry` that were asked for, in its order, with parsed options. Throws one `OptionError` for everything that is wrong. */
export function selectDetectors(registry: readonly Detector<unknown>[], { wanted, given, defaults = {} }: Selection): Selected[] {
  const known = registry.map(({ id }) => id)
  const problems: string[] = []
  for (const id of [...(wanted ?? []), ...Object.keys(given)]) {
    if (!known.includes(id)) problems.push(`detectors: got "${showText(id)}", expected one of ${known.join(', ')}`)
  }
  if (wanted?.length === 0) problems.push(`detectors: got an empty list, expected at least one of ${known.join(', ')}`)
  const selected: Selected[] = []
  for (const detector of registry) {
    try {
      const options = parseOptions(detector, { ...defaults[detector.id], ...own(given, detector.id) })
      if (!wanted || wanted.includes(detector.id)) selected.push({ detector, options })
    } catch (error) {
      if (!(error instanceof OptionError)) throw error
      problems.push(error.message)
    }
  }
  if (problems.length > 0) throw new OptionError('bad-option', [...new Set(problems)].join('\n'))
  return selected
}

const own = (options: DetectorOptions, id: string) => (Object.hasOwn(options, id) ? options[id] : undefined)
