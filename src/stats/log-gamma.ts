const lanczos = [
  676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905, -0.13857109526572012,
  9.984369578019572e-6, 1.5056327351493116e-7,
]

/** ln Γ(x) for x > 0 by Lanczos' approximation (g = 7, nine terms): about 15 digits. */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  const below = x - 1
  let sum = 0.9999999999998099
  for (let i = 0; i < lanczos.length; i++) sum += (lanczos[i] as number) / (below + i + 1)
  const t = below + 7.5
  return 0.5 * Math.log(2 * Math.PI) + (below + 0.5) * Math.log(t) - t + Math.log(sum)
}
