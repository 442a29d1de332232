/** 2 to the power −1023 … 1024, in that order; the first is 0, as in what src/wasm/ makes of exponents. */
const powers = Float64Array.from({ length: 2048 }, (_, i) => (i === 0 ? 0 : 2 ** (i - 1023)))
const terms = Array.from({ length: 14 }, (_, k) => 1 / Array.from({ length: k }, (_, i) => i + 1).reduce((product, i) => product * i, 1))
/** 1.5 · 2⁵²: a small number added to it and taken off again is rounded to a whole one. */
const rounder = 6755399441055744

/**
 * eˣ, the same bits in every engine and in src/wasm/mixture.ts, which `Math.exp` does not promise: relative error 4e-16. x beyond ±708 counts as that.
 * 2ᵏ times a series of thirteen terms on what is left, |r| ≤ ln 2 / 2.
 */
export function exponential(x: number): number {
  const within = Math.max(Math.min(x, 708), -708)
  const k = within * Math.LOG2E + rounder - rounder
  const r = within - k * 0.6931471803691238 - k * 1.9082149292705877e-10
  let p = terms[13] as number
  for (let i = 12; i >= 0; i--) p = r * p + (terms[i] as number)
  return p * (powers[k + 1023] as number)
}
