import * as z from 'zod/mini'
import { type Attack, type Poisoned, plant } from './attack.js'
import { choosePoisons, coverRate, drawRows, label, rate, rowsOutside, seed } from './choose-rows.js'
import type { ImageSet } from './image-set.js'
import { disturbedField, warp, warpField } from './warp.js'

const options = z.strictObject({
  source: z.optional(label),
  target: label,
  rate: z._default(rate, 0.1),
  coverRate: z._default(coverRate, 0.2),
  seed,
  grid: z._default(z.int().check(z.gte(2), z.lte(64)), 4),
  strength: z._default(z.number().check(z.gte(0), z.lte(100)), 0.5),
  upsampling: z._default(z.enum(['bicubic', 'bilinear']), 'bicubic'),
})

export type WaNetOptions = z.input<typeof options>

export const waNetAttack: Attack<z.infer<typeof options>> = {
  id: 'wanet',
  citation: 'Nguyen, Tran: WaNet – Imperceptible Warping-based Backdoor Attack. ICLR 2021, §3.2 and §3.3',
  options,
  plan(set, { source, target, rate, coverRate, grid, strength, upsampling }, rng) {
    const { rows: poisons, rateOf } = choosePoisons(set, { attack: 'wanet', source, target, rate }, rng.fork('poisons'))
    const wanted = { where: 'wanet: coverRate', rate: coverRate, of: set.rows, ofWhat: 'rows', candidates: 'rows that are not poisoned' }
    const field = warpField(set, { grid, strength, upsampling }, rng.fork('field'))
    return {
      title: `WaNet ${source === undefined ? 'all-to-one' : 'source->target'}${coverRate > 0 ? ', with noise mode' : ''}`,
      source: source ?? null,
      target,
      trigger: `warp, ${grid}×${grid} control points, strength ${strength}, ${upsampling}`,
      rateOf,
      poisons,
      covers: coverRate > 0 ? drawRows(rowsOutside(set, [], poisons), wanted, rng.fork('covers')) : undefined,
      relabel: () => target,
      paint(picture, row, role) {
        warp(picture, role === 'poison' ? field : disturbedField(field, set, rng.fork(`noise ${row}`)), set)
      },
    }
  },
}

/**
 * WaNet (Nguyen & Tran 2021, §3.2): warps whole pictures by one smooth random field, and gives the rows the label of the target class. Rows
 * and rates as for `badNets`. In the noise mode (§3.3) round(coverRate · n) further rows of any class are warped with random offsets on
 * top and keep their label, so that the model learns this warp and no other; these are the cover rows. `coverRate: 0` turns it off.
 *
 * Defaults are the authors': `grid` 4 control points a side (2 … 64), `strength` 0.5 (0 … 100; 0 changes no pixel of a poisoned row), `upsampling` `bicubic`
 * (or `bilinear`), `rate` 0.1, `coverRate` 0.2 (0 … 1). They poison anew in every batch while they train, here the set is poisoned once.
 * Pixels are sampled bilinearly and rounded, a half up; opacity is warped as the colours are. `seed` (0) draws rows, field and noise.
 * Throws as `badNets` does.
 */
export function waNet(set: ImageSet, options: WaNetOptions): Poisoned {
  return plant(waNetAttack, set, options)
}
