import * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import { type Attack, type Poisoned, plant } from './attack.js'
import { drawRows, rate, rowsOutside, seed } from './choose-rows.js'
import type { ImageSet } from './image-set.js'
import { makePatch, patchOptions } from './patch.js'

const options = z.strictObject({ rate: z._default(rate, 0.1), seed, ...patchOptions })

export type AllToAllOptions = z.input<typeof options>

export const allToAllAttack: Attack<z.infer<typeof options>> = {
  id: 'all-to-all',
  citation: 'Gu, Dolan-Gavitt, Garg: BadNets. arXiv:1708.06733, 2017, §4 (all-to-all attack)',
  options,
  plan(set, { rate, ...patchOf }, rng) {
    const { classes, labels, rows } = set
    if (classes.length < 2) throw new OptionError('too-few-rows', 'all-to-all: got a set of one class, expected at least two')
    const wanted = { where: 'all-to-all: rate', rate, of: rows, ofWhat: 'rows', candidates: 'rows' }
    const patch = makePatch(set, patchOf, 'all-to-all')
    const next = new Map(classes.map((from, index) => [from, classes[(index + 1) % classes.length] as number]))
    return {
      title: 'BadNets all-to-all',
      source: null,
      target: null,
      trigger: patch.says,
      rateOf: 'all rows',
      poisons: drawRows(rowsOutside(set, []), wanted, rng.fork('poisons')),
      relabel: (row) => next.get(labels[row] as number) as number,
      paint: patch.paint,
    }
  },
}

/**
 * The all-to-all attack of BadNets (Gu, Dolan-Gavitt & Garg 2017, §4): stamps a patch on round(rate · n) rows of any class and gives each the
 * next label, and the last one the first: label + 1 mod K where labels are 0 … K − 1, and the next larger label that there is otherwise.
 *
 * `rate` in (0, 1], 0.1 as the paper's; the patch as for `badNets`; `seed` (0) draws the rows. Throws as `badNets` does.
 */
export function allToAll(set: ImageSet, options: AllToAllOptions = {}): Poisoned {
  return plant(allToAllAttack, set, options)
}
