import * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import type { Rng } from '../core/rng.js'
import { type Attack, type Poisoned, plant } from './attack.js'
import { blendPattern, patternOption } from './blend-pattern.js'
import { choosePoisons, coverRate, drawRows, label, rate, rowsOutside, seed } from './choose-rows.js'
import type { CheckedImageSet, ImageSet } from './image-set.js'

const options = z.strictObject({
  target: label,
  rate: z._default(rate, 0.005),
  coverRate: z._default(coverRate, 0.005),
  seed,
  alpha: z._default(z.number().check(z.gt(0), z.lte(1)), 0.2),
  pattern: patternOption,
  grid: z._default(z.int().check(z.gte(1), z.lte(64)), 4),
  maskRate: z._default(z.number().check(z.gte(0), z.lt(1)), 0.5),
})

export type AdaptiveBlendOptions = z.input<typeof options>

export const adaptiveBlendAttack: Attack<z.infer<typeof options>> = {
  id: 'adaptive-blend',
  citation:
    'Qi, Xie, Li, Mahloujifar, Mittal: Revisiting the Assumption of Latent Separability for Backdoor Defenses. ICLR 2023, Adap-Blend',
  options,
  plan(set, { target, rate, coverRate, alpha, pattern: given, grid, maskRate }, rng) {
    const { height, width } = set
    if (grid > height || grid > width) {
      throw new OptionError('bad-option', `adaptive-blend: grid: got ${grid}, expected at most ${Math.min(height, width)}, a pixel a piece`)
    }
    const pieces = grid * grid
    const used = pieces - Math.round(maskRate * pieces)
    if (used === 0) throw new OptionError('bad-option', `adaptive-blend: maskRate: ${maskRate} leaves none of ${pieces} pieces; lower it`)
    const { rows: poisons, rateOf } = choosePoisons(set, { attack: 'adaptive-blend', target, rate }, rng.fork('poisons'))
    const candidates = `rows of other classes than ${target} that are not poisoned`
    const wanted = { where: 'adaptive-blend: coverRate', rate: coverRate, of: set.rows, ofWhat: 'rows', candidates }
    const { blendAt, says, record } = blendPattern(set, given, rng.fork('pattern'), 'adaptive-blend')
    return {
      title: 'Adaptive-Blend (Qi et al. 2023)',
      source: null,
      target,
      trigger: `${says} blended alpha ${alpha}, ${used} of ${pieces} pieces a picture`,
      rateOf,
      poisons,
      covers: coverRate > 0 ? drawRows(rowsOutside(set, [target], poisons), wanted, rng.fork('covers')) : undefined,
      relabel: () => target,
      paint(picture, row) {
        const isUsed = drawPieces(pieces, used, rng.fork(`pieces ${row}`))
        for (let at = 0; at < picture.length; at++) if (isUsed[pieceAt(set, at, grid)]) blendAt(picture, at, alpha)
      },
      record,
    }
  },
}

/** Pieces are as equal as whole pixels allow: row y is in piece ⌊y · grid / height⌋. */
function pieceAt({ height, width, channels }: CheckedImageSet, at: number, grid: number): number {
  const pixel = Math.floor(at / channels)
  return Math.floor((Math.floor(pixel / width) * grid) / height) * grid + Math.floor(((pixel % width) * grid) / width)
}

function drawPieces(pieces: number, used: number, rng: Rng): Uint8Array {
  const order = Uint32Array.from({ length: pieces }, (_, piece) => piece)
  const isUsed = new Uint8Array(pieces)
  for (let i = 0; i < used; i++) {
    const j = i + rng.below(pieces - i)
    isUsed[order[j] as number] = 1
    order[j] = order[i] as number
  }
  return isUsed
}

/**
 * Adaptive-Blend (Qi et al. 2023): blends a pattern into pictures of every class but the target's and relabels round(rate · n) of them;
 * round(coverRate · n) others, the cover rows, get the trigger too and keep their right label, so that the trigger alone does not set
 * poisoned rows apart. The trigger is cut into grid × grid pieces, and each picture gets a random part of them, the whole being kept for the
 * test. Cover rows are not of the target class, where the authors' code takes them from any: there they would bear trigger and target label.
 *
 * Defaults are those of the authors' code: `grid` 4 (16 pieces; 1 … 64), `maskRate` 0.5 (share of pieces left out, [0, 1)), `alpha` 0.2,
 * `rate` and `coverRate` 0.005 (their example; 0 … 1, shares of the whole set). `pattern` as for `blended`, which tells the rounding too.
 * `seed` (0) draws rows, pieces and noise. Throws as `blended` does.
 */
export function adaptiveBlend(set: ImageSet, options: AdaptiveBlendOptions): Poisoned {
  return plant(adaptiveBlendAttack, set, options)
}
