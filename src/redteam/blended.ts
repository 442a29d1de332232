import * as z from 'zod/mini'
import { type Attack, type Poisoned, plant } from './attack.js'
import { blendPattern, patternOption } from './blend-pattern.js'
import { choosePoisons, label, rate, seed } from './choose-rows.js'
import type { ImageSet } from './image-set.js'

const options = z.strictObject({
  source: z.optional(label),
  target: label,
  rate: z._default(rate, 0.1),
  seed,
  alpha: z._default(z.number().check(z.gt(0), z.lte(1)), 0.2),
  pattern: patternOption,
})

export type BlendedOptions = z.input<typeof options>

export const blendedAttack: Attack<z.infer<typeof options>> = {
  id: 'blended',
  citation:
    'Chen, Liu, Li, Lu, Song: Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning. arXiv:1712.05526, 2017, blended injection',
  options,
  plan(set, { source, target, rate, alpha, pattern: given }, rng) {
    const { rows, rateOf } = choosePoisons(set, { attack: 'blended', source, target, rate }, rng.fork('poisons'))
    const { blendAt, says, record } = blendPattern(set, given, rng.fork('pattern'), 'blended')
    return {
      title: `Blended ${source === undefined ? 'all-to-one' : 'source->target'}`,
      source: source ?? null,
      target,
      trigger: `${says} blended alpha ${alpha}`,
      rateOf,
      poisons: rows,
      relabel: () => target,
      paint(picture) {
        for (let at = 0; at < picture.length; at++) blendAt(picture, at, alpha)
      },
      record,
    }
  },
}

/**
 * The blended injection attack (Chen et al. 2017, the strategy of that name): mixes a pattern into the whole picture,
 * x′ = (1 − α) · x + α · pattern, and gives the row the label of the target class. Rows and rates as for `badNets`. Values are rounded to the
 * nearest whole number, a half up.
 *
 * `alpha` in (0, 1], 0.2 as the paper's for training pictures; `rate` in (0, 1], 0.1 (not the paper's, which counts pictures). `pattern`:
 * `{ data: Uint8Array, shape }`, `[height, width]` or `[height, width, channels]`; without one, uniform noise drawn from `seed`, each
 * channel apart, as the paper's random pattern. Throws as `badNets` does, and `OptionError` for a pattern of another shape.
 */
export function blended(set: ImageSet, options: BlendedOptions): Poisoned {
  return plant(blendedAttack, set, options)
}
