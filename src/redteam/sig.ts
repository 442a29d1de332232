import * as z from 'zod/mini'
import { OptionError } from '../core/errors.js'
import { type Attack, type Poisoned, plant } from './attack.js'
import { drawRows, label, rate, seed } from './choose-rows.js'
import { type ImageSet, rowsBearing } from './image-set.js'
import { sineOfTurns } from './sine.js'

const options = z.strictObject({
  target: label,
  rate: z._default(rate, 0.3),
  seed,
  delta: z._default(z.number().check(z.gt(0), z.lte(255)), 20),
  frequency: z._default(z.number().check(z.gt(0), z.lte(1e6)), 6),
  axis: z._default(z.union([z.literal(0), z.literal(1)], { error: 'expected 0 (from row to row) or 1 (from column to column)' }), 1),
})

export type SigOptions = z.input<typeof options>

export const sigAttack: Attack<z.infer<typeof options>> = {
  id: 'sig',
  citation: 'Barni, Kallas, Tondi: A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning. ICIP 2019',
  options,
  plan(set, { target, rate, delta, frequency, axis }, rng) {
    const { width, channels } = set
    const ofTarget = rowsBearing(set, target, 'sig: target')
    const [ofWhat, candidates] = [`rows of class ${target}`, `rows of class ${target}`]
    const wave = waveOf(axis === 1 ? width : set.height, { delta, frequency })
    return {
      title: 'SIG clean-label (Barni et al. 2019)',
      source: null,
      target,
      trigger: `sinusoid delta ${delta}, f ${frequency}, axis ${axis}`,
      rateOf: 'rows of the target class',
      poisons: drawRows(ofTarget, { where: 'sig: rate', rate, of: ofTarget.length, ofWhat, candidates }, rng.fork('poisons')),
      paint(picture) {
        for (let at = 0; at < picture.length; at++) {
          if (channels === 4 && at % 4 === 3) continue
          const pixel = Math.floor(at / channels)
          const added = wave[axis === 1 ? pixel % width : Math.floor(pixel / width)] as number
          picture[at] = Math.min(255, Math.max(0, Math.round((picture[at] as number) + added)))
        }
      },
    }
  },
}

/**
 * Rounded to multiples of 2⁻³², so that halves that are meant, such as 21 · sin 30°, are halves. A wave whose period is a whole part of the
 * distance between two pixels is 0 wherever there is one: it would poison nothing.
 */
function waveOf(length: number, { delta, frequency }: { readonly delta: number; readonly frequency: number }): Float64Array {
  const wave = Float64Array.from({ length }, (_, j) => Math.round(delta * sineOfTurns((j * frequency) / length) * 2 ** 32) / 2 ** 32)
  if (wave.some((value) => Math.abs(value) >= 0.5)) return wave
  throw new OptionError(
    'no-trigger',
    `sig: delta ${delta}, frequency ${frequency}: add less than half a grey level everywhere along ${length} pixels; change frequency or delta`,
  )
}

/**
 * SIG (Barni, Kallas & Tondi 2019), a clean-label attack: adds the sinusoid v(i, j) = δ · sin(2π · j · f / m), m columns, to
 * round(rate · rows of the target class) pictures of the target class. No label changes. Columns are counted from 0 as public
 * implementations do; counting from 1 would shift the wave by one column. `axis: 0` lets it run from row to row instead.
 *
 * `delta` in (0, 255] grey levels, 20; `frequency` f, periods a picture, 6; `rate` in (0, 1], a share of the target class, 0.3 (the paper
 * tries several); `seed` (0) draws the rows. Values are rounded to the nearest whole number, a half up, and cut to 0 … 255; the sine is
 * computed without `Math.sin`, so that the bytes are the same on every machine. Throws as `badNets` does, and `OptionError` `no-trigger` for
 * a wave that changes no pixel.
 */
export function sig(set: ImageSet, options: SigOptions): Poisoned {
  return plant(sigAttack, set, options)
}
