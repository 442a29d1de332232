import { showText } from '../core/untrusted-text.js'
import type { ScanFinding, ScanReport } from './scan-report.js'

/** The verdict in one sentence. */
export function scanHeadline({ findings }: ScanReport): string {
  const count = (severity: ScanFinding['severity']) => findings.filter((finding) => finding.severity === severity).length
  const things = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`
  const [dangerous, suspicious, undecided] = [count('dangerous'), count('suspicious'), count('undecided')]
  if (dangerous > 0) return `${things(dangerous, 'dangerous finding')}: what was scanned can run code, reach files or carry a backdoor`
  if (suspicious > 0)
    return `${things(suspicious, 'suspicious finding')}: there are things that honest files have no need of, or signs of a backdoor`
  if (undecided > 0) return `not everything could be judged: ${things(undecided, 'open question')}`
  return 'nothing was found that runs, hides or reaches outside when it is loaded'
}

/** What to do now. */
export function scanAdvice({ verdict }: ScanReport): string {
  const more = 'see docs/scan.md'
  if (verdict === 'poisoned') return `do not load these files outside a sandbox; find out where they came from: ${more}.`
  if (verdict === 'suspicious') return `do not load these files before somebody has looked at what is listed: ${more}.`
  if (verdict === 'inconclusive')
    return `do not treat these files as clean; what can settle each question is said beside it, or in docs/scan.md.`
  return `nothing is called for; what a scan cannot see: ${more}.`
}

/** Where a finding is. */
export function findingPlace({ path, offset }: ScanFinding): string {
  return offset === null ? showText(path, 300) : `${showText(path, 300)} at byte ${offset}`
}
