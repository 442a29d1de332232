import { OptionError } from '../core/errors.js'
import type { Rng } from '../core/rng.js'
import { auroc } from '../stats/auroc.js'
import { normalCdf } from '../stats/normal.js'
import type { Network } from './network/network.js'
import { boundsOf, type PixelRange } from './pixel-range.js'

/**
 * STRIP (Gao et al., ACSAC 2019): each input of `inputs: [n, inputLength]` is laid over `blends` clean inputs, and the mean entropy of what
 * the network says to that is low for an input with a trigger, since it wins over whatever lies under it. The pictures are added and cut to
 * the range, as in the authors' code (the paper speaks of a linear blend), so that a bright trigger stays as bright. Score: minus the
 * entropy in bits, higher is more suspicious, `[n]`. Blind to triggers that work on one source class only. Throws `OptionError` without
 * clean inputs.
 */
export function stripScores(
  network: Network,
  inputs: Float32Array,
  {
    clean,
    rng,
    range,
    blends = 32,
  }: { readonly clean: Float32Array; readonly rng: Rng; readonly range: PixelRange; readonly blends?: number },
): Float64Array {
  const length = network.inputLength
  const available = clean.length / length
  if (available < 1) throw new OptionError('bad-option', 'stripScores: got no clean inputs, expected at least one')
  const { low, high } = boundsOf(network.inputShape, range)
  const mixed = new Float32Array(blends * length)
  return Float64Array.from({ length: inputs.length / length }, (_, row) => {
    for (let blend = 0; blend < blends; blend++) {
      const from = rng.below(available) * length
      for (let index = 0; index < length; index++) {
        const sum = (inputs[row * length + index] as number) + (clean[from + index] as number) - (low[index] as number)
        mixed[blend * length + index] = Math.min(high[index] as number, sum)
      }
    }
    return -meanEntropy(network.logits(mixed), network.classes)
  })
}

function meanEntropy(logits: Float32Array, classes: number): number {
  let total = 0
  for (let start = 0; start < logits.length; start += classes) {
    const own = logits.subarray(start, start + classes)
    const most = own.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const sum = own.reduce((a, b) => a + Math.exp(b - most), 0)
    for (const value of own) {
      const p = Math.exp(value - most) / sum
      if (p > 0) total -= p * Math.log2(p)
    }
  }
  return total / (logits.length / classes)
}

/** By what SCALE-UP multiplies pixels. */
const factors = [3, 5, 7, 9, 11]

/**
 * SCALE-UP (Guo et al., ICLR 2023): the share of the amplified inputs (pixels times 3, 5, 7, 9 and 11, cut to the range) that the network gives
 * the class of the input itself; an input with a trigger keeps its class. Score 0 to 1, `[n]`; the paper's threshold is 0.5.
 *
 * With `clean` inputs (the paper's data-limited form) each share is counted in standard deviations from the mean of the clean inputs that the network
 * takes for the same class; where these are fewer than two, or all alike, from those of all clean inputs.
 */
export function scaleUpScores(
  network: Network,
  inputs: Float32Array,
  { range, clean }: { readonly range: PixelRange; readonly clean?: Float32Array | undefined },
): Float64Array {
  const { kept, classes } = consistency(network, inputs, range)
  if (!clean || clean.length === 0) return kept
  const known = consistency(network, clean, range)
  const all = spreadOf(known.kept)
  const ofClass = [...new Array(network.classes).keys()].map((c) => {
    const own = spreadOf(known.kept.filter((_, row) => known.classes[row] === c))
    return own.deviation > 0 ? own : all
  })
  return kept.map((share, row) => {
    const { mean, deviation } = ofClass[classes[row] as number] as typeof all
    return (share - mean) / (deviation || 1)
  })
}

/** The share of its amplified forms that keep the class of an input, and that class. */
function consistency(network: Network, inputs: Float32Array, range: PixelRange): { kept: Float64Array; classes: Int32Array } {
  const { low, high } = boundsOf(network.inputShape, range)
  const length = network.inputLength
  const classes = guesses(network.logits(inputs), network.classes)
  const kept = new Float64Array(classes.length)
  for (const factor of factors) {
    const amplified = inputs.map((value, index) => {
      const least = low[index % length] as number
      return Math.min(high[index % length] as number, least + factor * (value - least))
    })
    guesses(network.logits(amplified), network.classes).forEach((guess, row) => {
      if (guess === classes[row]) kept[row] = (kept[row] as number) + 1 / factors.length
    })
  }
  return { kept, classes }
}

function spreadOf(values: Float64Array): { mean: number; deviation: number } {
  const mean = values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, deviation: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)) }
}

function guesses(logits: Float32Array, classes: number): Int32Array {
  return Int32Array.from({ length: logits.length / classes }, (_, row) => {
    let best = 0
    for (let c = 1; c < classes; c++) if ((logits[row * classes + c] as number) > (logits[row * classes + best] as number)) best = c
    return best
  })
}

/** What the network itself says about a suspected part of a class. */
export interface CausalTest {
  /** How often a suspected row scores above one of the rest, ties counting half. */
  readonly auroc: number
  /** Of the one-sided rank test (Mann–Whitney, normal approximation, ties counted): small where the suspected rows carry a trigger. */
  readonly pValue: number
}

/**
 * Whether suspected rows of a class hold on to it more than the rest of that class does: their scores (STRIP's or SCALE-UP's) against those of
 * the `majority`, which should be matched to them in number. Throws `OptionError` where either side is empty.
 */
export function causalTest(suspected: Float64Array, majority: Float64Array): CausalTest {
  const [m, n] = [suspected.length, majority.length]
  const scores = [...suspected, ...majority]
  const area = auroc(
    scores,
    scores.map((_, index) => (index < m ? 1 : 0)),
  )
  if (area === null) throw new OptionError('bad-option', `causalTest: got ${m} suspected and ${n} other rows, expected some of both`)
  const counts = new Map<number, number>()
  for (const score of scores) counts.set(score, (counts.get(score) ?? 0) + 1)
  let ties = 0
  for (const count of counts.values()) ties += count ** 3 - count
  const variance = ((m * n) / 12) * (m + n + 1 - ties / ((m + n) * (m + n - 1)))
  const pValue = variance > 0 ? 1 - normalCdf(((area - 0.5) * m * n) / Math.sqrt(variance)) : 0.5
  return { auroc: area, pValue }
}
