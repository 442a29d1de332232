interface Normal {
  readonly mean: number
  readonly variance: number
}

/** A mixture of two normal distributions, the upper one's share `weight`. */
export interface TwoNormals {
  readonly weight: number
  readonly lower: Normal
  readonly upper: Normal
}

const steps = 60
/** Values that either part keeps at least: with fewer its variance is nobody's. */
const fewestValues = 3

/**
 * The mixture that EM (Dempster, Laird and Rubin, 1977) reaches in `steps` steps from a division at `cut`: every part with a mean and a variance
 * of its own (`leastVariance` or more). null where a part has no three values, or loses them.
 */
export function fitTwoNormals(values: Float64Array, { cut, leastVariance }: { cut: number; leastVariance: number }): TwoNormals | null {
  const shares = Float64Array.from(values, (value) => (value > cut ? 1 : 0))
  let fit: TwoNormals | null = null
  for (let step = 0; step <= steps; step++) {
    const own = shares.reduce((sum, share) => sum + share, 0)
    if (own < fewestValues || values.length - own < fewestValues) return null
    const upper = part(values, (i) => shares[i] as number, leastVariance)
    const lower = part(values, (i) => 1 - (shares[i] as number), leastVariance)
    if (!(upper.mean > lower.mean)) return null
    fit = { weight: own / values.length, lower, upper }
    const posterior = upperPosterior(fit)
    for (let i = 0; i < values.length; i++) shares[i] = posterior(values[i] as number)
  }
  return fit
}

function part(values: Float64Array, shareOf: (i: number) => number, leastVariance: number): Normal {
  let [count, sum, squares] = [0, 0, 0]
  for (let i = 0; i < values.length; i++) {
    const share = shareOf(i)
    count += share
    sum += share * (values[i] as number)
  }
  const mean = sum / count
  for (let i = 0; i < values.length; i++) squares += shareOf(i) * ((values[i] as number) - mean) ** 2
  return { mean, variance: Math.max(squares / count, leastVariance) }
}

/**
 * Probability that a value is of the upper part. Beyond a mean it stays what it is there: the wider of two normal distributions has both tails,
 * but what lies past the upper mean is no less of the upper part.
 */
export function upperPosterior({ weight, lower, upper }: TwoNormals): (value: number) => number {
  const atBoth = Math.log(weight / (1 - weight)) + Math.log(lower.variance / upper.variance) / 2
  return (value) => {
    const at = Math.min(Math.max(value, lower.mean), upper.mean)
    const logOdds = atBoth + (at - lower.mean) ** 2 / (2 * lower.variance) - (at - upper.mean) ** 2 / (2 * upper.variance)
    return 1 / (1 + Math.exp(-logOdds))
  }
}
