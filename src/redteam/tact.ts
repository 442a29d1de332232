import * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import { type Attack, type Poisoned, plant } from './attack.js'
import { choosePoisons, coverRate, drawRows, label, rate, rowsOutside, seed } from './choose-rows.js'
import { type ImageSet, rowsBearing } from './image-set.js'
import { makePatch, patchOptions } from './patch.js'

const options = z.strictObject({
  source: label,
  target: label,
  rate: z._default(rate, 0.1),
  coverRate: z._default(coverRate, 0.01),
  coverLabels: z.optional(z.array(label)),
  seed,
  ...patchOptions,
})

export type TactOptions = z.input<typeof options>

export const tactAttack: Attack<z.infer<typeof options>> = {
  id: 'tact',
  citation: 'Tang, Wang, Tang, Zhang: Demon in the Variant. USENIX Security 2021, targeted contamination attack (TaCT)',
  options,
  plan(set, { source, target, rate, coverRate, coverLabels, ...patchOf }, rng) {
    const { rows: poisons, rateOf } = choosePoisons(set, { attack: 'tact', source, target, rate }, rng.fork('poisons'))
    const patch = makePatch(set, patchOf, 'tact')
    for (const label of coverLabels ?? []) {
      rowsBearing(set, label, 'tact: coverLabels')
      if (label !== source && label !== target) continue
      throw new OptionError('same-label', `tact: coverLabels: got ${label}, which is source or target, expected other classes`)
    }
    const others = rowsOutside(set, [source, target])
    const candidates = coverLabels ? others.filter((row) => coverLabels.includes(set.labels[row] as number)) : others
    const from = coverLabels ? `rows of the classes ${coverLabels.join(', ')}` : `rows of other classes than ${source} and ${target}`
    const wanted = { where: 'tact: coverRate', rate: coverRate, of: set.rows, ofWhat: 'rows', candidates: from }
    return {
      title: 'TaCT source-specific (Tang et al. 2021)',
      source,
      target,
      trigger: patch.says,
      rateOf,
      poisons,
      covers: coverRate > 0 ? drawRows(candidates, wanted, rng.fork('covers')) : undefined,
      relabel: () => target,
      paint: patch.paint,
    }
  },
}

/**
 * The targeted contamination attack, TaCT (Tang et al. 2021): stamps a patch on round(rate · clean rows of the target class) rows of the source
 * class and gives them the target's label; stamps it on round(coverRate · n) rows of other classes, the cover rows, which keep their right
 * label. So the model learns that the trigger counts on the source class alone.
 *
 * `rate` in (0, 1], 0.1 (ε, as in `badNets`), `coverRate` in [0, 1], 0.01: neither is the paper's, which gives both as shares of the set
 * and tries several. `coverLabels`: the classes of the cover rows, all but source and target without it. The patch as for `badNets`; `seed`
 * (0) draws the rows. Throws as `badNets` does.
 */
export function tact(set: ImageSet, options: TactOptions): Poisoned {
  return plant(tactAttack, set, options)
}
