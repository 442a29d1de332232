import { studentTUpper } from '../stats/student-t.js'

/**
 * For each class of one model, the probability that a value so far above those of the other classes comes from the same normal
 * distribution: t = (x − mean) / (s·√(1 + 1/(K−1))) with mean and s of the K−1 others, K−2 degrees of freedom (the outlier test of
 * Grubbs, Technometrics 1969, in its deleted-residual form). One-sided. null for fewer than four classes, of which none is ordinary.
 */
export function outlierPValues(values: ArrayLike<number>): (number | null)[] {
  const count = values.length
  const all = Float64Array.from(values)
  return Array.from(all, (value, index) => {
    if (count < 4) return null
    const others = all.filter((_, other) => other !== index)
    const mean = others.reduce((sum, other) => sum + other, 0) / others.length
    const spread = Math.sqrt(others.reduce((sum, other) => sum + (other - mean) ** 2, 0) / (others.length - 1))
    if (spread === 0) return value > mean ? 0 : 1
    return studentTUpper((value - mean) / (spread * Math.sqrt(1 + 1 / others.length)), others.length - 1)
  })
}

/**
 * One p-value out of dependent ones: e·ln n times the harmonic mean of n ≥ 3 is valid whatever the dependence (Vovk & Wang, Biometrika 2020), and
 * small where one of them is. `strength`, for ranking, is their geometric mean: small where they agree.
 */
export function mergePValues(pValues: readonly number[]): { pValue: number; strength: number } {
  const n = pValues.length
  const known = pValues.map((p) => Math.max(p, 1e-300))
  const harmonic = n / known.reduce((sum, p) => sum + 1 / p, 0)
  const strength = Math.exp(known.reduce((sum, p) => sum + Math.log(p), 0) / n)
  return { pValue: Math.min(1, Math.E * Math.log(n) * harmonic), strength }
}
