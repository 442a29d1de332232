import * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import { type Attack, type Poisoned, plant } from './attack.js'
import { choosePoisons, drawRows, label, rate, rowsOutside, seed } from './choose-rows.js'
import type { ImageSet } from './image-set.js'

const options = z.strictObject({
  source: z.optional(label),
  target: z.optional(label),
  rate: z._default(rate, 0.1),
  seed,
})

export type LabelFlipsOptions = z.input<typeof options>

export const labelFlipsAttack: Attack<z.infer<typeof options>> = {
  id: 'label-flips',
  citation: 'Biggio, Nelson, Laskov: Support Vector Machines Under Adversarial Label Noise. ACML 2011, random label flips',
  options,
  plan(set, { source, target, rate }, rng) {
    const { classes, labels } = set
    const trigger = 'none: no pixel is changed'
    if (target !== undefined) {
      const { rows, rateOf } = choosePoisons(set, { attack: 'label-flips', source, target, rate }, rng.fork('poisons'))
      const title = `label flips ${source === undefined ? 'all-to-one' : 'source->target'}`
      return { title, source: source ?? null, target, trigger, rateOf, poisons: rows, relabel: () => target }
    }
    if (source !== undefined) {
      throw new OptionError(
        'bad-option',
        `label-flips: source: got ${source} without a target, expected both, the target alone, or neither`,
      )
    }
    if (classes.length < 2) throw new OptionError('too-few-rows', 'label-flips: got a set of one class, expected at least two')
    const wanted = { where: 'label-flips: rate', rate, of: set.rows, ofWhat: 'rows', candidates: 'rows' }
    return {
      title: 'label flips, random',
      source: null,
      target: null,
      trigger,
      rateOf: 'all rows',
      poisons: drawRows(rowsOutside(set, []), wanted, rng.fork('poisons')),
      relabel(row) {
        const others = classes.filter((label) => label !== labels[row])
        return others[rng.fork(`label ${row}`).below(others.length)] as number
      },
    }
  },
}

/**
 * Label flips (Biggio, Nelson & Laskov 2011, random flips): changes labels and no pixel. With `target`, rows and rates as for `badNets`;
 * without, round(rate · n) rows of any class get another label each, all others being as likely.
 *
 * `rate` in (0, 1], 0.1 (the paper goes through many). `seed` (0) draws rows and labels. Throws as `badNets` does.
 */
export function labelFlips(set: ImageSet, options: LabelFlipsOptions = {}): Poisoned {
  return plant(labelFlipsAttack, set, options)
}
