import type { ClassReport, ClassVerdict, Report } from '../report/schema.js'

/** From what calls for action down to what does not. */
export const severity: Readonly<Record<ClassVerdict, number>> = { poisoned: 0, suspicious: 1, inconclusive: 2, multimodal: 3, clean: 4 }

/** Indices of a report's classes, the most suspicious first: by verdict, then by p-value, those without one last. */
export function mostSuspiciousFirst({ classes }: Report): number[] {
  const p = (index: number) => (classes[index] as ClassReport).pValue ?? 2
  const verdict = (index: number) => severity[(classes[index] as ClassReport).verdict]
  return [...classes.keys()].sort((a, b) => verdict(a) - verdict(b) || p(a) - p(b) || a - b)
}
