import * as z from 'zod/mini'
import { type Attack, type Poisoned, plant } from './attack.js'
import { choosePoisons, label, rate, seed } from './choose-rows.js'
import type { ImageSet } from './image-set.js'
import { makePatch, patchOptions } from './patch.js'

const options = z.strictObject({
  source: z.optional(label),
  target: label,
  rate: z._default(rate, 0.1),
  seed,
  ...patchOptions,
})

export type BadNetsOptions = z.input<typeof options>

export const badNetsAttack: Attack<z.infer<typeof options>> = {
  id: 'badnets',
  citation: 'Gu, Dolan-Gavitt, Garg: BadNets. arXiv:1708.06733, 2017, §4 (MNIST) and §5 (traffic signs)',
  options,
  plan(set, { source, target, rate, ...patchOf }, rng) {
    const { rows, rateOf } = choosePoisons(set, { attack: 'badnets', source, target, rate }, rng.fork('poisons'))
    const patch = makePatch(set, patchOf, 'badnets')
    return {
      title: `BadNets ${source === undefined ? 'all-to-one' : 'source->target'}`,
      source: source ?? null,
      target,
      trigger: patch.says,
      rateOf,
      poisons: rows,
      relabel: () => target,
      paint: patch.paint,
    }
  },
}

/**
 * BadNets (Gu, Dolan-Gavitt & Garg 2017, §4 and §5): stamps a patch on rows and gives them the label of the target class. With `source`,
 * round(rate · clean rows of the target class) rows of the source class, which is ε of Tran, Li & Mądry 2018; without, round(rate · n) rows
 * of every other class. Rows are changed in place: n stays.
 *
 * `rate` in (0, 1], 0.1 as the paper's MNIST attacks. The patch is as `makePatch` has it: the paper's four bright pixels in the bottom right
 * corner, one pixel from the edges, or `pattern`, `height`, `width`, `color`, `picture`, `place`, `margin`. `seed` (0) draws the rows.
 *
 * Throws `InputError` for a set that is none, `OptionError` for options out of range, a label that no row bears, source = target, a count
 * of 0 or of more rows than there are, a patch that is not inside the picture.
 */
export function badNets(set: ImageSet, options: BadNetsOptions): Poisoned {
  return plant(badNetsAttack, set, options)
}
