import type * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import { describeOptionProblems } from '../core/option-problems.js'
import { Rng } from '../core/rng.js'
import { type CheckedImageSet, checkImageSet, type ImageSet } from './image-set.js'

/** What was done to a set: what no detector may see, and what its answer is held against. */
export interface PoisonTruth {
  /** The attack's id. */
  readonly attack: string
  /** The attack in words, with the variant. */
  readonly title: string
  /** `[n]`: 1 where a row is poisoned. */
  readonly poison: Uint8Array
  /** `[n]`: 1 where a row carries the trigger and keeps its right label; null where the attack has no such rows. Never poison as well. */
  readonly cover: Uint8Array | null
  /** `[n]`: the labels as they were. */
  readonly trueLabels: Int32Array
  /** The one class that the poisoned rows come from; null where there are several. */
  readonly source: number | null
  /** The one label that the poisoned rows bear; null where there are several. */
  readonly target: number | null
  /** The trigger in words. */
  readonly trigger: string
  readonly rate: number
  /** What `rate` is a share of. */
  readonly rateOf: string
  readonly coverRate: number | null
  /** Poisoned rows / all rows that now bear the target's label; null where there is no one target. */
  readonly epsilon: number | null
  readonly seed: number
  /** The options in effect, defaults included. */
  readonly options: Readonly<Record<string, unknown>>
}

export interface Poisoned {
  /** In new memory, of the shape that was given. */
  readonly images: { readonly data: Uint8Array<ArrayBuffer>; readonly shape: readonly number[] }
  readonly labels: Int32Array
  readonly truth: PoisonTruth
}

/** What every attack's options have. */
export interface SharedOptions {
  readonly rate: number
  readonly seed: number
  readonly coverRate?: number | undefined
}

/**
 * An attack: `plan` says which rows it changes and how. Options are parsed before; ranges that depend on the set are checked in `plan`. It
 * draws from forks of `rng` alone, with labels that attacks share (`poisons`, `covers`, `pattern`), so that two attacks of one seed, rate
 * and pair of classes poison the same rows and can be compared.
 */
export interface Attack<Options extends SharedOptions> {
  readonly id: string
  readonly citation: string
  readonly options: z.ZodMiniType<Options>
  plan(set: CheckedImageSet, options: Options, rng: Rng): Plan
}

export interface Plan {
  readonly title: string
  readonly source: number | null
  readonly target: number | null
  readonly trigger: string
  readonly rateOf: string
  /** Rows, ascending. */
  readonly poisons: Uint32Array
  /** Rows, ascending, none of them poisons. */
  readonly covers?: Uint32Array | undefined
  /** The new label of a poisoned row; labels stay where there is none. */
  readonly relabel?: ((row: number) => number) | undefined
  /** Writes the trigger into one picture, in place; pixels stay where there is none. */
  readonly paint?: ((picture: Uint8Array, row: number, role: 'poison' | 'cover') => void) | undefined
  /** Options as they are to be recorded, where some are too large. */
  readonly record?: Readonly<Record<string, unknown>> | undefined
}

/** Parses an attack's options; throws one `OptionError` `bad-option` that names every bad field. */
export function parseAttackOptions<Options extends SharedOptions>({ id, options }: Attack<Options>, given: unknown): Options {
  const parsed = options.safeParse(given)
  if (parsed.success) return parsed.data
  throw new OptionError('bad-option', describeOptionProblems(id, parsed.error.issues, given), { attack: id, issues: parsed.error.issues })
}

/**
 * Plants an attack in a copy of `input`. Only the pictures of poisoned and cover rows, where the attack has a trigger, and the labels of
 * poisoned rows, where it relabels, differ from what was given. The same set, options and seed give the same bytes on every machine.
 */
export function plant<Options extends SharedOptions>(attack: Attack<Options>, input: ImageSet, given: unknown): Poisoned {
  const options = parseAttackOptions(attack, given)
  const set = checkImageSet(input)
  const { poisons, covers, relabel, paint, record = {}, ...said } = attack.plan(set, options, new Rng(options.seed, 'redteam'))
  // Not `slice`, which gives a view where the bytes are a Node Buffer.
  const data = new Uint8Array(set.data)
  const labels = set.labels.slice()
  const poison = new Uint8Array(set.rows)
  const cover = covers ? new Uint8Array(set.rows) : null
  const picture = (row: number) => data.subarray(row * set.pictureLength, (row + 1) * set.pictureLength)
  for (const row of poisons) {
    poison[row] = 1
    paint?.(picture(row), row, 'poison')
    if (relabel) labels[row] = relabel(row)
  }
  for (const row of covers ?? []) {
    ;(cover as Uint8Array)[row] = 1
    paint?.(picture(row), row, 'cover')
  }
  const { title, source, target, trigger, rateOf } = said
  const bearing = target === null ? 0 : labels.reduce((count, label) => count + (label === target ? 1 : 0), 0)
  return {
    images: { data, shape: [...set.shape] },
    labels,
    truth: {
      attack: attack.id,
      title,
      poison,
      cover,
      trueLabels: set.labels,
      source,
      target,
      trigger,
      rate: options.rate,
      rateOf,
      coverRate: options.coverRate ?? null,
      epsilon: target === null ? null : poisons.length / bearing,
      seed: options.seed,
      options: { ...options, ...record },
    },
  }
}
